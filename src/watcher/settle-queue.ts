import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Stats } from 'node:fs';
import type { RelPath } from '../model/rel-path.ts';
import { type FileIdentity, identityOf } from '../model/file-identity.ts';
import { look } from './look.ts';
import { Settling } from './settling.ts';

/** Looks (one lstat each, a few µs) between two turns of the event loop. */
const LOOKS_PER_TURN = 512;
/** A turn of looks ends early after this long, in ms: on a slow disk a look can take a millisecond. */
const TURN_MS = 5;

export interface SettleQueueOptions {
  /** Absolute path that the queue's paths are relative to. */
  readonly root: string;
  /** A file is complete when its inode, size and mtime were unchanged for this long, in ms. */
  readonly settleMs: number;
  /** The file is complete, in the state `version`. What is neither file nor folder is told at once. */
  onComplete(path: RelPath, version: FileIdentity, how: 'settled' | 'closed'): void;
  /** The queue is full and has dropped paths: list again. */
  onOverflow(): void;
}

/** {@link Settling} with real files and a real clock. Paths that vanish, and folders, are dropped silently. */
export class SettleQueue implements Disposable {
  readonly #options: SettleQueueOptions;
  readonly #settling: Settling;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = Infinity;
  #disposed = false;

  constructor(options: SettleQueueOptions) {
    this.#options = options;
    this.#settling = new Settling(options.settleMs);
  }

  /** Paths that have not settled yet. */
  get size(): number {
    return this.#settling.size;
  }

  has(path: RelPath): boolean {
    return this.#settling.has(path);
  }

  /** See {@link Settling.patientMs}; never less than the settle time. */
  setPatience(ms: number): void {
    this.#settling.patientMs = Math.max(ms, this.#options.settleMs);
  }

  /** `path` may have changed; `version` is what the teller saw, where it looked just now. */
  changed(path: RelPath, version?: FileIdentity, patient = true): void {
    if (this.#disposed) return;
    if (!this.#settling.changed(path, performance.now(), version, patient)) this.#options.onOverflow();
    this.#arm();
  }

  /** See {@link Settling.handled}. */
  handled(path: RelPath, version: FileIdentity): void {
    this.#settling.handled(path, version);
  }

  /** `path` was closed by its writer: complete now, if it is there. */
  closed(path: RelPath): void {
    if (this.#disposed) return;
    this.#settling.forget(path);
    const stats = this.#look(path);
    if (stats !== undefined && !stats.isDirectory())
      this.#options.onComplete(path, identityOf(stats), 'closed');
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearTimeout(this.#timer);
  }

  #turn(): void {
    this.#timerDue = Infinity;
    const start = performance.now();
    for (const path of this.#settling.due(start, LOOKS_PER_TURN)) {
      this.#check(path);
      if (this.#disposed || performance.now() - start > TURN_MS) break;
    }
    this.#arm();
  }

  #check(path: RelPath): void {
    const stats = this.#look(path);
    const now = performance.now();
    if (stats === undefined || stats.isDirectory()) {
      this.#settling.observed(path, undefined, now);
      return;
    }
    const version = identityOf(stats);
    if (!stats.isFile()) {
      this.#settling.forget(path);
      this.#options.onComplete(path, version, 'settled');
      return;
    }
    const quietMs = Date.now() - Math.max(stats.mtimeMs, stats.ctimeMs);
    if (!this.#settling.observed(path, { version, quietMs }, now)) return;
    this.#options.onComplete(path, version, 'settled');
  }

  #look(path: RelPath): Stats | undefined {
    return look(join(this.#options.root, path));
  }

  #arm(): void {
    const due = this.#settling.nextDue();
    if (due === undefined || this.#disposed || due >= this.#timerDue) return;
    clearTimeout(this.#timer);
    this.#timerDue = due;
    this.#timer = setTimeout(() => this.#turn(), Math.max(0, Math.ceil(due - performance.now())));
  }
}
