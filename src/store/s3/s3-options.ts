import type { ObjectSettings, S3Access } from '../../s3/access.ts';

/** Where in which bucket files are kept, and how. */
export interface S3StoreOptions extends S3Access, ObjectSettings {
  /** For those who only look and list: nothing is collected. Default false. */
  readonly readOnly?: boolean | undefined;
  /** In front of every key, without slashes at its ends: 'a/b', or '' for the whole bucket. */
  readonly prefix: string;
  /** Age in ms at which an upload that nobody has gone on with is thrown away. Default: 7 days. */
  readonly abandonedAfterMs?: number | undefined;
  /**
   * Bytes of all parts in memory, those that fill and those on their way. The largest file is 10,000 times as large.
   * Default: 48 MiB.
   */
  readonly partBufferBytes?: number | undefined;
  /** How long an upload whose part is half full may get nothing, in ms, before another one may have its memory. */
  readonly bufferIdleMs?: number | undefined;
  /** Smallest part of an upload in bytes; a smaller file is put in one piece. At least 5 MiB, default 8 MiB. */
  readonly minPartBytes?: number | undefined;
}
