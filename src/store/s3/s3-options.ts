import type { S3Access } from '../../s3/access.ts';
import type { ObjectSettings } from '../../s3/object-attributes.ts';

/** Where in which bucket files are kept, and how. */
export interface S3StoreOptions extends S3Access, ObjectSettings {
  /** Makes and collects nothing, for commands that only look and list. Default false. */
  readonly readOnly?: boolean | undefined;
  /** Begins every key, without slashes at its ends: 'a/b', or '' for the whole bucket. */
  readonly prefix: string;
  /** Age in ms at which an upload that nobody has resumed is thrown away. Default: 7 days. */
  readonly abandonedAfterMs?: number | undefined;
  /**
   * Memory for all parts, those being filled and those on their way, in bytes. The largest file is 10,000 times as large.
   * Default: 48 MiB.
   */
  readonly partBufferBytes?: number | undefined;
  /** Time in ms after which an upload that gets no bytes loses the memory of its part to one that waits. */
  readonly bufferIdleMs?: number | undefined;
  /** Smallest part of an upload in bytes; a smaller file is put in one piece. At least 5 MiB, default 8 MiB. */
  readonly minPartBytes?: number | undefined;
  /**
   * Cuts every request, now and later, so that closing the store waits for no server. What was not confirmed by then counts as
   * after a kill: it may be kept or not, and uploads can be resumed.
   */
  readonly cut?: AbortSignal | undefined;
}
