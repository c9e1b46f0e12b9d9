import type { ObjectEvent } from '../object-event.ts';
import type { KeyEncoding } from '../parse/parsed.ts';

/** A key that two sides do not agree about. */
export interface Difference {
  readonly kind: ObjectEvent['kind'];
  readonly bucket: string;
  readonly key: string;
}

/** A message that tells of a difference as AWS would tell of an event, so that it can be queued, parked and taken like one. */
export function differenceMessage({ kind, bucket, key }: Difference, keyEncoding: KeyEncoding): string {
  return JSON.stringify({
    Records: [
      {
        eventVersion: '2.1',
        eventSource: 'aws:s3',
        eventName: kind === 'created' ? 'ObjectCreated:Put' : 'ObjectRemoved:Delete',
        s3: { bucket: { name: bucket }, object: { key: keyEncoding === 'raw' ? key : formEncoded(key) } },
      },
    ],
  });
}

function formEncoded(key: string): string {
  return encodeURIComponent(key).replaceAll('%20', '+');
}
