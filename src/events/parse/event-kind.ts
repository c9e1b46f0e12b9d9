import type { ObjectEvent } from '../object-event.ts';

type Kind = ObjectEvent['kind'];

/**
 * What an event is by its name, where it has the names of AWS. Undefined for one that changes no content: tags, ACLs,
 * transitions, the start of a restore.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
 */
export function kindOfEvent(name: string): Kind | undefined {
  return NAMES.get(name) ?? FAMILIES.get(name.slice(0, name.indexOf(':') + 1));
}

const FAMILIES: ReadonlyMap<string, Kind> = new Map([
  ['ObjectCreated:', 'created'],
  ['ObjectRemoved:', 'removed'],
  // An object that a rule expires is told of under these names alone, never as ObjectRemoved.
  ['LifecycleExpiration:', 'removed'],
]);

const NAMES: ReadonlyMap<string, Kind> = new Map([
  // Until then an archived object can't be read.
  ['ObjectRestore:Completed', 'created'],
  // Some stores name the request.
  ['PutObject', 'created'],
  ['PutObjectCopy', 'created'],
  ['CompleteMultipartUpload', 'created'],
  ['DeleteObject', 'removed'],
]);
