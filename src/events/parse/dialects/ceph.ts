import type { ObjectEvent } from '../../object-event.ts';
import { kindOfEvent } from '../event-kind.ts';
import type { ToldEvent } from '../told-event.ts';
import { readS3Record } from './s3-record.ts';

/** Ceph writes keys as they are: decoding one would name another object. */
export function readCeph(record: unknown): ToldEvent {
  return { ...readS3Record(record), dialect: 'ceph', kindOf: kindOfCephEvent, writtenKey: 'raw' };
}

/** https://docs.ceph.com/en/latest/radosgw/s3-notification-compatibility/ */
function kindOfCephEvent(name: string): ObjectEvent['kind'] | undefined {
  // An upload that was given up was never an object.
  if (name === 'ObjectLifecycle:Expiration:AbortMultipartUpload') return undefined;
  if (name.startsWith('ObjectLifecycle:Expiration:')) return 'removed';
  // From another zone.
  if (name === 'ObjectSynced:Create') return 'created';
  if (name === 'ObjectSynced:Delete' || name === 'ObjectSynced:DeletionMarkerCreated') return 'removed';
  return kindOfEvent(name);
}
