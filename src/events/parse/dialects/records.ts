import { isObject, member } from '../json-fields.ts';
import type { ToldEvent } from '../told-event.ts';
import { readAws } from './aws.ts';
import { readCeph } from './ceph.ts';
import { readMinio } from './minio.ts';
import { isVersion } from './s3-record.ts';
import { isVk, readVk } from './vk.ts';

/** One of `Records`, read as whoever wrote it writes; a text says why nobody can read it. */
export function readRecord(record: unknown): ToldEvent | string {
  if (!isObject(record) || Array.isArray(record)) return 'the record is no object';
  if (!isKnownVersion(record)) return 'the version of the record is neither 1 nor 2';
  switch (sourceOf(record)) {
    case 'aws:s3':
      return isVk(record) ? readVk(record) : readAws(record);
    case 'minio:s3':
      return readMinio(record);
    case 'ceph:s3':
      return readCeph(record);
    default:
      // Of a store that we do not know, or that does not tell its name: neither its keys nor its order are AWS's for sure.
      return { ...readAws(record), writtenKey: undefined, sequencer: undefined };
  }
}

/** Within a major version whatever is added may be skipped, says AWS; another one may have all at other places. */
function isKnownVersion(record: unknown): boolean {
  const isUntold = (member(record, 'eventVersion') ?? undefined) === undefined;
  return isUntold || isVersion(record, 1) || isVersion(record, 2);
}

/** '' where none is told. */
function sourceOf(record: unknown): string {
  const source = member(record, 'eventSource');
  // The documentation of VK Cloud prints a blank.
  return typeof source === 'string' ? source.replace(': ', ':') : '';
}
