import { kindOfEvent } from '../event-kind.ts';
import { member, memberAt } from '../json-fields.ts';
import type { ToldEvent } from '../told-event.ts';
import { isVersion, readS3Record } from './s3-record.ts';

/** VK Cloud says that it is AWS, at version 1.0; what gives it away is a number as sequencer, and that no time is told. */
export function isVk(record: unknown): boolean {
  return (
    isVersion(record, 1) &&
    (typeof memberAt(record, 's3', 'object', 'sequencer') === 'number' ||
      member(record, 'eventTime') === undefined)
  );
}

/**
 * How it writes keys is told nowhere; as AWS, whose name it gives.
 * https://cloud.vk.com/docs/en/storage/s3/s3-rest-api/webhook-api
 */
export function readVk(record: unknown): ToldEvent {
  return { ...readS3Record(record), dialect: 'vk', kindOf: kindOfEvent, writtenKey: 'form' };
}
