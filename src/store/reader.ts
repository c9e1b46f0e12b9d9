import type { Abortable } from '../model/abortable.ts';
import type { FileEntry } from '../model/file-entry.ts';
import type { RelPath } from '../model/rel-path.ts';
import type { ListOptions, ReadOptions, StoredFile } from './store.ts';

/**
 * What is kept at one place of a target, to be brought back: all of a store, a device's folder, a directory, or one file.
 * Guarantees of every form of it:
 * - Each path is relative to the place, or its last segment where the place is a file. It is a RelPath: what can't be one is left
 *   out, so nothing that the other side names leads out of where it is brought to.
 * - It changes nothing. Calls may overlap freely; the caller bounds how many.
 * - It retries nothing. A call rejects with an IsyncError, whose `retryable` says whether trying again can help, or with the reason of
 *   the signal.
 */
export interface Reader extends AsyncDisposable {
  /** Whether `list` tells the mtime of each file, as `stat` does; else when it was published. */
  readonly listedMtime: boolean;

  /** Files that may be asked for at a time: enough to hide how long an answer takes. */
  readonly filesAtOnce: number;

  /** Every file, each once, in no order. */
  list(options?: ListOptions): AsyncIterable<FileEntry>;

  /** The version that is kept; undefined where there is none. */
  stat(path: RelPath, options?: Abortable): Promise<FileEntry | undefined>;

  /** The version that is kept, with its bytes and the digest that is kept with them, as `Store.read` has it. */
  read(path: RelPath, options?: ReadOptions): Promise<StoredFile | undefined>;
}
