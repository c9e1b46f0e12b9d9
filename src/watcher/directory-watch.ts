import type { Abortable } from '../model/abortable.ts';
import type { FileIdentity } from '../model/file-identity.ts';
import type { Log } from '../model/log.ts';
import type { RelPath } from '../model/rel-path.ts';
import type { CompleteBy, WatchEvent } from './watch-event.ts';

export interface WatchDirectoryOptions extends Abortable {
  /** Absolute path. */
  readonly root: string;
  /** The first-level folder to watch, with all folders in it. */
  readonly directory: RelPath;
  readonly complete: CompleteBy;
  readonly settleMs: number;
  /** Files that are in progress by their name: nothing is told of them. */
  ignored?(path: RelPath): boolean;
  /** Default: inotify on Linux, chokidar elsewhere. */
  readonly events?: 'inotify' | 'chokidar';
  /** Must not throw. May be called before the watch stands. Nothing is told after 'gone' or disposal. */
  onEvent(event: WatchEvent): void;
  readonly log: Log;
}

/**
 * A watch that stands. Its events are hints; whoever holds it answers each 'reconcile' with a listing, and tells
 * {@link entering} of each folder that the listing comes to.
 */
export interface DirectoryWatch extends AsyncDisposable {
  /** How completeness is known at present. */
  readonly helper: 'close-write' | 'settle';
  /** How long a file must be unchanged to count as complete when its close was not seen, in ms. */
  readonly settleMs: number;
  /** Whether an event has told of this file lately: if not, a listing has found what events missed. */
  knows(path: RelPath): boolean;
  /** A listing is about to read this folder, a path like the events': it is watched before it is read, so that nothing is missed. */
  entering(folder: RelPath): void;
  /** A listing found this file unmarked: it comes back as 'complete' when it has settled. */
  changed(path: RelPath): void;
  /**
   * This state of a file, taken **after** our own mark was set, needs no 'complete' any more. Forgotten after
   * KNOWN_VERSIONS other files; a 'complete' too many is the worst that follows.
   */
  handled(path: RelPath, version: FileIdentity): void;
  /** A listing has ended: sets the pace of the next 'reconcile'. */
  listed(durationMs: number): void;
}
