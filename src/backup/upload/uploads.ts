import type { ByteSink } from '../pack/pack.ts';
import type { PackedArchive } from '../state/job-state.ts';

/**
 * One archive on its way to its targets. Bytes become parts of equal length, which lie in the spool until every target has acknowledged
 * them or failed. Each target takes them at its own speed, until the spool is full.
 */
export interface ArchiveUpload extends AsyncDisposable {
  /** All that a target lacks lies in the spool still: nothing is packed, and `finish` goes on with what the state has as `packed`. */
  readonly isPacked: boolean;
  /**
   * A write rejects once every target has failed, and where the spool can't be written. Of parts that are done already (MD5) nothing is
   * sent. The MD5 of a part is in the state before its first byte leaves. Where an archive that is packed again has another one, and is
   * encrypted or complete at some target, the write rejects with FILE_CHANGED, and none of it is sent: drop it (dropArchive), and pack
   * it with new secrets. Else the part is sent over the earlier one.
   */
  readonly sink: ByteSink;
  /**
   * The last byte has been written. Resolves when every target has completed it, or failed. Rejects as a write does, for the last part
   * is known only now, and with the reason of the signal.
   */
  finish(archive: PackedArchive): Promise<readonly UploadOutcome[]>;
}

export interface UploadOutcome {
  /** Name of the target. */
  readonly target: string;
  /** Undefined: the archive is complete there. */
  readonly error: Error | undefined;
  /** After an error: whether a later run can go on with it. Its parts lie in the spool until it has, or the archive is dropped. */
  readonly isResumable: boolean;
}
