import { kindOfEvent } from '../event-kind.ts';
import type { ToldEvent } from '../told-event.ts';
import { readS3Record } from './s3-record.ts';

/**
 * MinIO writes a message as `{EventName, Key, Records}`. `Key` is "bucket/key" of the first record, not encoded, and tells
 * nothing that the record does not; in the record even "/" is encoded.
 * https://min.io/docs/minio/linux/administration/monitoring/bucket-notifications.html
 */
export function readMinio(record: unknown): ToldEvent {
  return { ...readS3Record(record), dialect: 'minio', kindOf: kindOfEvent, writtenKey: 'form' };
}
