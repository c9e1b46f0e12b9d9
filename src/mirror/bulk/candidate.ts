import type { ListedObject } from '../../s3/objects.ts';
import type { MirrorKey } from '../fill/fills.ts';
import type { MirrorRule } from '../rule.ts';

/** What an origin says of an object. */
export interface OriginFacts {
  readonly size: number | undefined;
  /** As it was sent, with quotes and `W/`. */
  readonly etag: string | undefined;
  readonly modifiedMs: number | undefined;
  /** Whether an ETag of 32 hexadecimal digits is an MD5, as in a bucket. Of a web server it may be anything. */
  readonly hasMd5: boolean;
}

/** A key to look at, from a list or from listings. */
export type Candidate =
  | {
      readonly kind: 'key';
      readonly key: MirrorKey;
      readonly rule: MirrorRule;
      /** As a listing has it; undefined where nobody has asked. */
      readonly origin: OriginFacts | undefined;
      /** As the listing of the bucket has it, undefined where it lacks the key; 'unknown' where nobody has looked. */
      readonly kept: ListedObject | undefined | 'unknown';
    }
  /** No rule has it, or it is excepted. `name`: as the list has it. */
  | { readonly kind: 'unruled'; readonly name: string }
  /** No key of a mirror. `reason` completes a sentence. */
  | { readonly kind: 'unusable'; readonly name: string; readonly reason: string };

/** As the listing of a bucket tells. */
export function factsListed({ size, modifiedMs, etag }: ListedObject): OriginFacts {
  return { size, modifiedMs, etag: `"${etag}"`, hasMd5: true };
}

export type KeyCandidate = Extract<Candidate, { readonly kind: 'key' }>;
