import type { ObjectContent, ObjectHead } from '../../s3/content.ts';
import type { OriginHead } from '../origin/origin.ts';
import type { SpoolFile } from '../spool/spool.ts';

/** The bucket that is filled. Keys are those of the mirror; the prefix of the bucket is the bucket's affair. */
export interface KeptBucket {
  /** Undefined where it is missing. @throws IsyncError */
  head(key: string, signal?: AbortSignal): Promise<ObjectHead | undefined>;
  /**
   * The object, or a part of it. `start` and `end` (the first byte not wanted) lie within it, or nothing comes.
   * @returns undefined where it is missing, or has another ETag than `ifMatch`
   */
  get(
    key: string,
    options: {
      readonly ifMatch?: string | undefined;
      readonly start?: number | undefined;
      readonly end?: number | undefined;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<ObjectContent | undefined>;
  /**
   * Keeps a whole body where no object stands. One PUT, or a multipart upload that is aborted on every failure. The origin's ETag and
   * Last-Modified become metadata (`isync-origin-etag`, `isync-origin-modified`), with the origin's URL (`isync-origin`).
   * @param options.replaces the version that may be replaced
   * @returns 'present' where an object stands there by now, or no longer the version that may be replaced: all is left as it is
   * @throws IsyncError
   */
  put(
    key: string,
    body: SpoolFile,
    head: OriginHead & { readonly origin: string },
    options: { readonly signal: AbortSignal; readonly replaces?: ObjectHead | undefined },
  ): Promise<'kept' | 'present'>;
  /**
   * Aborts multipart uploads of ours below the prefix, of any process, that began more than `olderMs` ago and got no part since then.
   * Returns how many.
   */
  removeStaleUploads(olderMs: number, signal: AbortSignal): Promise<number>;
}
