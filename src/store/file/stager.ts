import { Fifo } from '../../flow/fifo.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { type Staged, stageThen } from './stage-file.ts';
import type { StagingArea } from './staging-area.ts';
import type { Stamping } from './stamp.ts';

interface Job {
  readonly file: FileEntry;
  readonly bytes: Uint8Array;
  readonly onStaged: Staged;
}

/** Stages small files, at most so many at a time, in the order in which they were given. */
export class Stager {
  readonly #area: StagingArea;
  readonly #stamping: Stamping;
  readonly #waiting = new Fifo<Job>();
  #free: number;
  #isStarting = false;

  /** @param atOnce files that are open at a time */
  constructor(area: StagingArea, stamping: Stamping, atOnce: number) {
    this.#area = area;
    this.#stamping = stamping;
    this.#free = atOnce;
  }

  /** Tells `onStaged` as {@link stageThen} does. */
  stage(file: FileEntry, bytes: Uint8Array, onStaged: Staged): void {
    this.#waiting.push({ file, bytes, onStaged });
    this.#startWaiting();
  }

  #startWaiting(): void {
    // A file may be staged before its start returns. The loop that started it then goes on: one in another could be too deep.
    if (this.#isStarting) return;
    this.#isStarting = true;
    while (this.#free > 0) {
      const job = this.#waiting.shift();
      if (job === undefined) break;
      this.#free -= 1;
      this.#start(job);
    }
    this.#isStarting = false;
  }

  #start({ file, bytes, onStaged }: Job): void {
    stageThen(this.#area, file, bytes, this.#stamping, (path, error) => {
      this.#free += 1;
      // First: the fsync of the next one may run while those that are staged are named.
      this.#startWaiting();
      onStaged(path, error);
    });
  }
}
