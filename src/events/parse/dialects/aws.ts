import { kindOfEvent } from '../event-kind.ts';
import { member } from '../json-fields.ts';
import type { ToldEvent } from '../told-event.ts';
import { readS3Record } from './s3-record.ts';

export function readAws(record: unknown): ToldEvent {
  return { ...readS3Record(record), dialect: 'aws', kindOf: kindOfEvent, writtenKey: 'form' };
}

/** The name of what S3 sends to a queue when notifications are set up; undefined where `message` is not that. */
export function awsTestEvent(message: unknown): string | undefined {
  return member(message, 'Event') === 's3:TestEvent' ? 'TestEvent' : undefined;
}
