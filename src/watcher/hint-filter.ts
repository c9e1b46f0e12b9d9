import type { Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { PARSE_MARKER, WATCH_MARKER } from '../model/markers.ts';
import { isRelPath, type RelPath } from '../model/rel-path.ts';
import { type FileIdentity, sameIdentity, identityOf } from '../model/file-identity.ts';
import { look } from './look.ts';
import { SettleQueue } from './settle-queue.ts';
import type { WatchEvent } from './watch-event.ts';

/**
 * While closes are told, a file that was not closed must be unchanged for this long, in ms: its writer may pause.
 * Only what was closed before the watch of its folder stood waits for it, and what stays open.
 */
export const PATIENT_SETTLE_MS = 5_000;
/**
 * Files whose last told or handled version is known, so that late and own events are not told again: an inotify queue
 * (16,384 events by default), as an echo is hardly further behind. About 300 bytes each, so 5 MB.
 */
const KNOWN_VERSIONS = 16_384;

/**
 * For this long after a folder was made, in ms, closes in it may be missed: its watch stands a little later. Files that
 * change meanwhile need only settle.
 */
const YOUNG_FOLDER_MS = 1_000;
/** Young folders known at a time; files of those forgotten only wait longer. */
const MAX_YOUNG_FOLDERS = 1_024;

export interface HintFilterOptions {
  /** Absolute path. */
  readonly root: string;
  /** The first-level folder that hints are about. */
  readonly directory: RelPath;
  readonly settleMs: number;
  ignored(path: RelPath): boolean;
  onEvent(event: WatchEvent): void;
  onOverflow(): void;
}

/** Turns the many hints about one directory's files into events. Hints have paths relative to the directory. */
export class HintFilter implements Disposable {
  readonly #options: HintFilterOptions;
  readonly #queue: SettleQueue;
  readonly #known = new LRUCache<RelPath, FileIdentity>({ max: KNOWN_VERSIONS });

  readonly #young = new LRUCache<string, true>({ max: MAX_YOUNG_FOLDERS, ttl: YOUNG_FOLDER_MS });

  constructor(options: HintFilterOptions) {
    this.#options = options;
    this.#queue = new SettleQueue({
      root: options.root,
      settleMs: options.settleMs,
      onComplete: (path, version, how) => this.#complete(path, version, how),
      onOverflow: () => options.onOverflow(),
    });
  }

  /** Closes are told, so that other changes can wait; or they are not, and must not. */
  setPatient(patient: boolean): void {
    this.#queue.setPatience(patient ? PATIENT_SETTLE_MS : 0);
  }

  /** Something that is not a folder is new or has changed, and is now as `stats` say. */
  changed(hint: string, stats: Stats): void {
    const path = this.#pathOf(hint);
    if (path === undefined) return;
    const version = identityOf(stats);
    if (this.#isKnown(path, version)) return;
    if (hint === PARSE_MARKER) this.#parseMarker(path, version);
    else this.#queue.changed(path, stats.isFile() ? version : undefined, !this.#young.has(dirname(hint)));
  }

  /** A folder was made, and is watched from about now on. */
  folderMade(hint: string): void {
    this.#young.set(hint, true);
  }

  /** A writer has closed this file, or renamed it into place. */
  closed(hint: string): void {
    const path = this.#pathOf(hint);
    if (path === undefined) return;
    if (hint !== PARSE_MARKER) {
      this.#queue.closed(path);
      return;
    }
    const stats = look(join(this.#options.root, path));
    if (stats !== undefined) this.changed(hint, stats);
  }

  /** A listing found this file: it is told when it has settled, whatever was told of it before. */
  listed(path: RelPath): void {
    this.#known.delete(path);
    this.#queue.changed(path);
  }

  /** Whether an event has told of this file lately. */
  knows(path: RelPath): boolean {
    return this.#queue.has(path) || this.#known.has(path);
  }

  handled(path: RelPath, version: FileIdentity): void {
    this.#queue.handled(path, version);
    this.#known.set(path, version);
  }

  [Symbol.dispose](): void {
    this.#queue[Symbol.dispose]();
  }

  /** Undefined for paths without events: our own marker, ignored files, and names that the listing reports. */
  #pathOf(hint: string): RelPath | undefined {
    if (hint === WATCH_MARKER || hint.startsWith(`.${WATCH_MARKER}.`)) return undefined;
    const path = `${this.#options.directory}/${hint}`;
    if (!isRelPath(path)) return undefined;
    if (hint !== PARSE_MARKER && this.#options.ignored(path)) return undefined;
    return path;
  }

  #parseMarker(path: RelPath, version: FileIdentity): void {
    this.#known.set(path, version);
    this.#options.onEvent({ kind: 'closed' });
  }

  #complete(path: RelPath, version: FileIdentity, how: 'settled' | 'closed'): void {
    // A close is never an echo, and on a coarse clock a second write may leave the same times.
    if (how === 'settled' && this.#isKnown(path, version)) return;
    this.#known.set(path, version);
    this.#options.onEvent({ kind: 'complete', path });
  }

  #isKnown(path: RelPath, version: FileIdentity): boolean {
    const known = this.#known.get(path);
    return known !== undefined && sameIdentity(known, version);
  }
}
