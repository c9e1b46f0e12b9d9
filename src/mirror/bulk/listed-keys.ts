import { listObjects, type ListedObject } from '../../s3/objects.ts';
import type { Bucket } from '../../s3/requests.ts';
import { inOrder } from '../../s3/sorted-keys.ts';
import type { RuleOrigins } from '../fill/fills-options.ts';
import { keyFault } from '../key.ts';
import { S3Origin } from '../origin/s3/s3-origin.ts';
import type { MirrorRules } from '../rules.ts';
import { type Candidate, factsListed } from './candidate.ts';
import { mergeSorted } from './merge-sorted.ts';
import { lineOf } from './named-key.ts';

export interface ListedKeysOptions {
  readonly rules: MirrorRules;
  readonly routes: readonly RuleOrigins[];
  /** The bucket that is filled. */
  readonly bucket: Bucket;
  readonly prefix: string;
  /** The longest key in bytes of UTF-8. */
  readonly keyBytes: number;
  readonly signal: AbortSignal;
}

/**
 * All that the rules' buckets hold, one rule after the other, beside what is kept of it: the listings are walked together, so that no
 * request is needed for a key, and none is remembered. Of an object that several origins of a rule have, the first one counts.
 * @throws IsyncError STORE_FAILED where a listing is not in order, and what listings reject with
 */
export async function* listedKeys(options: ListedKeysOptions): AsyncGenerator<Candidate> {
  for (const route of options.routes) yield* ofRule(route, options);
}

/** Whether all that a rule brings can be listed. */
export function isListable({ origins }: RuleOrigins): boolean {
  return origins.every((origin) => origin instanceof S3Origin);
}

async function* ofRule(
  { rule, origins }: RuleOrigins,
  { rules, bucket, prefix, keyBytes, signal }: ListedKeysOptions,
): AsyncGenerator<Candidate> {
  const buckets = origins.filter((origin) => origin instanceof S3Origin);
  if (buckets.length === 0) return;
  const { strip, add } = rule.key;
  const kept = cutOff(listObjects(bucket, prefix + strip, { signal }), bucket.name, prefix + strip);
  const listings = buckets.map((origin) => cutOff(origin.list(signal, add), origin.name, add));
  for await (const [keptObject, ...objects] of mergeSorted([kept, ...listings])) {
    const object = objects.find((each) => each !== undefined);
    if (object === undefined) continue;
    const path = strip + object.key;
    const fault = keyFault(path, keyBytes);
    if (fault !== undefined) {
      // What a rule does not bring anyway is nothing to complain about.
      if (rule.matches(path))
        yield { kind: 'unusable', name: lineOf({ path, query: undefined }), reason: fault };
      continue;
    }
    const key = rules.keyFrom(rule, add + object.key);
    if (key === undefined) continue;
    yield { kind: 'key', key, rule, origin: factsListed(object), kept: keptObject };
  }
}

/** A listing by what follows on `start`, in order. */
async function* cutOff(
  listing: AsyncIterable<ListedObject>,
  bucket: string,
  start: string,
): AsyncGenerator<ListedObject> {
  for await (const object of inOrder(listing, bucket, start))
    yield { ...object, key: object.key.slice(start.length) };
}
