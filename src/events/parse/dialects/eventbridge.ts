import type { ObjectEvent } from '../../object-event.ts';
import { member, memberAt } from '../json-fields.ts';
import type { ToldEvent } from '../told-event.ts';

/** One event a message, with a key that is not encoded. https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html */
export function readEventBridge(message: unknown): ToldEvent {
  const detail = member(message, 'detail');
  const object = member(detail, 'object');
  return {
    dialect: 'eventbridge',
    name: member(message, 'detail-type'),
    kindOf: (name) => KINDS.get(name),
    bucket: memberAt(detail, 'bucket', 'name'),
    key: member(object, 'key'),
    writtenKey: 'raw',
    region: member(message, 'region'),
    size: member(object, 'size'),
    etag: member(object, 'etag'),
    versionId: member(object, 'version-id'),
    sequencer: member(object, 'sequencer'),
    time: member(message, 'time'),
  };
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html */
const KINDS: ReadonlyMap<string, ObjectEvent['kind']> = new Map([
  ['Object Created', 'created'],
  // For whatever reason: by a request, or by a lifecycle rule.
  ['Object Deleted', 'removed'],
  ['Object Restore Completed', 'created'],
]);
