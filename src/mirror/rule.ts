import type { Bandwidth } from '../flow/bandwidth.ts';
import type { S3Access } from '../s3/access.ts';

/** Which keys are fetched, from where, and what of them is kept. Made from the config alone: nothing of a request is in it. */
export interface MirrorRule {
  /** For log and metrics: `rules[0]`. */
  readonly name: string;
  /** Tried in this order; the next one where one fails, never where one says that the key does not exist. */
  readonly origins: readonly OriginAddress[];
  readonly matches: (key: string) => boolean;
  /** The key at the origin: without `strip` at its beginning, then with `add` before it. */
  readonly key: { readonly strip: string; readonly add: string };
  /** Headers of every request to an HTTP origin, names in lower case; their values are secrets. */
  readonly send: Readonly<Record<string, string>>;
  /** Whether a header of the origin is kept as it is; the name in lower case. Of `x-amz-meta-*` only. */
  readonly keeps: (header: string) => boolean;
  /** `pass`: the query goes to the origin, and is part of the key. */
  readonly query: 'drop' | 'pass';
  /** Whether a media type, in lower case and without parameters, may be kept. */
  readonly takesType: (type: string) => boolean;
  /** Bytes. */
  readonly maxSize: number;
  /** Milliseconds. */
  readonly timeouts: MirrorTimeouts;
  /** Fills of this rule at a time. */
  readonly concurrency: number;
  /** Of all fills of this rule; undefined: no limit. */
  readonly bwlimit: Bandwidth | undefined;
  /** Whether an origin may have an address that is not global unicast. */
  readonly allowPrivate: boolean;
}

export interface MirrorTimeouts {
  readonly connect: number;
  readonly firstByte: number;
  /** Between two pieces of a body. */
  readonly idle: number;
  readonly total: number;
}

export type OriginAddress =
  /** Base URL without query, fragment, user and password; its path ends with "/". */
  | { readonly kind: 'http'; readonly base: string }
  /** `prefix` is '' or ends with "/". `access` has server and keys of its own; what is not said is as for the AWS CLI. */
  | {
      readonly kind: 's3';
      readonly bucket: string;
      readonly prefix: string;
      readonly access: Omit<S3Access, 'bucket'>;
    };
