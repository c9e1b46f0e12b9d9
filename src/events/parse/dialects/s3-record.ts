import type { ToldEvent } from '../told-event.ts';
import { member, memberAt } from '../json-fields.ts';

/** What all that write `Records` tell at the same places: AWS, and who follows it. */
export type S3Record = Omit<ToldEvent, 'dialect' | 'kindOf' | 'writtenKey'>;

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
export function readS3Record(record: unknown): S3Record {
  const object = memberAt(record, 's3', 'object');
  return {
    name: member(record, 'eventName'),
    bucket: memberAt(record, 's3', 'bucket', 'name'),
    key: member(object, 'key'),
    region: member(record, 'awsRegion'),
    size: member(object, 'size'),
    etag: member(object, 'eTag'),
    versionId: member(object, 'versionId'),
    sequencer: member(object, 'sequencer'),
    time: member(record, 'eventTime'),
  };
}

/** Whether the record is of that major version; it may be written as text or as a number. */
export function isVersion(record: unknown, major: number): boolean {
  const version = member(record, 'eventVersion');
  return (
    (typeof version === 'number' || typeof version === 'string') &&
    String(version).split('.', 1)[0] === `${major}`
  );
}
