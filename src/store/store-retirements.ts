import type { Abortable } from '../model/abortable.ts';
import type { RelPath } from '../model/rel-path.ts';

/**
 * Data directories that go from a store by age, whole, and what is remembered of them. A data directory is one of two segments,
 * DEVICE/DIRECTORY. Nothing of it is seen half: it goes out of everybody's sight in one step, then it is removed. All calls reject as
 * those of Store do.
 */
export interface StoreRetirements {
  /**
   * When a directory was retired, in ms since 1970; undefined where it was not, or has been sealed again since. What is there under its
   * name by now has come later.
   */
  retiredAt(directory: RelPath): Promise<number | undefined>;

  /** First-level folders that may be those of devices. */
  devices(): string[];

  /** The sealed directories of a device that are there now, in no order. */
  sealedOf(device: string, options?: Abortable): AsyncIterable<SealedDirectory>;

  /**
   * Retires a directory, durably. It stays where it is not what it was, has changed at `spec.notAfterMs` or later, or holds anything
   * but files. Rejects where it could not be put back or removed to its end: `finish` goes on with it.
   */
  retire(directory: SealedDirectory, spec: RetireSpec): Promise<Retirement>;

  /**
   * Puts back what was not looked at to its end when its process ended. To be called before anybody uses the store: else another directory
   * may have its name.
   */
  putBack(options: FinishOptions): Promise<void>;

  /** Whether there is anything for `putBack` or `finish`. */
  hasLeft(): boolean;

  /** Removes what was to go and is not gone to its end. */
  finish(options: FinishOptions): Promise<void>;

  /** Forgets what was retired longest ago of a device, where that is too much to remember. */
  forget(device: string): Promise<void>;
}

export interface FinishOptions extends Abortable {
  /** Told of each directory that was dealt with. */
  readonly onDone: (directory: RelPath) => void;
  /** Told of each that could not be, and is left for the next time. */
  readonly onStuck: (directory: RelPath, error: unknown) => void;
}

export interface SealedDirectory {
  readonly path: RelPath;
  readonly inode: number;
  /** When it was sealed, in ms since 1970 by the clock of the store. */
  readonly sealedMs: number;
}

export interface RetireSpec extends Abortable {
  /** All of it must be older than this, in ms since 1970. */
  readonly notAfterMs: number;
  /** Called right before it goes: why it may not, after all. */
  readonly objection: () => string | undefined;
}

export type Retirement =
  | { readonly outcome: 'retired'; readonly files: number; readonly bytes: number }
  /** Something in it has changed later than its seal; `lastChangeMs` is when. */
  | { readonly outcome: 'younger'; readonly lastChangeMs: number }
  | { readonly outcome: 'stays'; readonly why: string };
