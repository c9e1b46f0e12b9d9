import type { Stats } from 'node:fs';

export interface FolderEventsOptions {
  /** Absolute, normalized path of the folder to watch, with all folders in it. */
  readonly directory: string;
  /** Something that is not a folder is new or has changed. Not told of what is there at the start. */
  onFile(path: string, stats: Stats): void;
  /** A folder was found that {@link FolderEvents.add} has not named. */
  onFolder(path: string): void;
  /** A folder is gone, or the directory itself: ''. */
  onFolderGone(path: string): void;
  /** Something could not be watched. */
  onError(error: Error): void;
  /** Events were lost. */
  onLost(reason: string): void;
}

/**
 * Tells what happens in a folder and in all folders below it, with paths relative to it. All of it is a hint: hints may be
 * missing, late or told twice. Folders that are there at the start need not be told of before {@link add} names them; one
 * that is made or moved in later is watched first, and then everything in it is told. Idempotent disposal.
 */
export interface FolderEvents extends AsyncDisposable {
  /** Watches a folder from now on, whose entries the caller reads **after** this. Cheap for one that is watched already. */
  add(folder: string): void;
}
