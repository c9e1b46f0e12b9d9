import type { ByteSink } from '../pack/pack.ts';

/**
 * One archive on its way to its targets. Bytes become parts of equal length, which lie in the spool until every target has acknowledged
 * them or failed. Each target takes them at its own speed, until the spool is full.
 */
export interface ArchiveUpload extends AsyncDisposable {
  /**
   * A write rejects once every target has failed. Of parts that are done already (MD5) nothing is sent. The MD5 of a part is in the state
   * before its first byte leaves. Where an encrypted archive that is packed again has another one, the write rejects with FILE_CHANGED,
   * and none of it is sent: abort, and pack it with new secrets. Without encryption the part is sent over the earlier one.
   */
  readonly sink: ByteSink;
  /** The last byte has been written. Resolves when every target has completed it, or failed; never rejects but for the signal. */
  finish(archive: { readonly size: number; readonly sha256: string }): Promise<readonly UploadOutcome[]>;
}

export interface UploadOutcome {
  /** Name of the target. */
  readonly target: string;
  /** Undefined: the archive is complete there. */
  readonly error: Error | undefined;
}
