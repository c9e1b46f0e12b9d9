import type { RelPath } from '../../model/rel-path.ts';
import { inspectFile } from '../../scanner/inspect-file.ts';
import type { ScanContext } from './scan-context.ts';
import type { Submissions } from './submissions.ts';

/** Completed files waiting to be sent, a directory; past it a listing finds the rest. 200 bytes each, so 20 MB. */
const MAX_LIVE_WAITING = 100_000;
/** Live files go before every rank of the backlog. */
const LIVE_RANK = -1;

/** Files that the watch has called complete, on their way to the target. Each path waits at most once. */
export class LiveQueue {
  readonly #context: ScanContext;
  readonly #submissions: Submissions;
  readonly #overflowed: () => void;
  readonly #waiting = new Set<RelPath>();
  #running = false;

  constructor(context: ScanContext, submissions: Submissions, overflowed: () => void) {
    this.#context = context;
    this.#submissions = submissions;
    this.#overflowed = overflowed;
  }

  get size(): number {
    return this.#waiting.size;
  }

  has(path: RelPath): boolean {
    return this.#waiting.has(path);
  }

  add(path: RelPath): void {
    if (this.#waiting.size >= MAX_LIVE_WAITING && !this.#waiting.has(path)) {
      this.#overflowed();
      return;
    }
    this.#waiting.add(path);
    if (!this.#running) void this.#run();
  }

  /** Ends when the queue is empty; what is left when the scan stops has no mark and is found by the next one. */
  async #run(): Promise<void> {
    this.#running = true;
    for (const path of this.#waiting) {
      this.#waiting.delete(path);
      if (this.#context.stopping.aborted) continue;
      await this.#submit(path);
    }
    this.#running = false;
  }

  async #submit(path: RelPath): Promise<void> {
    if (this.#submissions.isInFlight(path)) {
      this.#submissions.onceLanded(path, () => this.add(path));
      return;
    }
    const finding = inspectFile(this.#context.options.root, path);
    // What can't be sent is told by the next listing, which decides about the seal as well.
    if (finding?.kind !== 'file') return;
    // A mark that is not our own echo: a parser with umask 002 has renamed the file into place, or someone has marked it.
    const unlessKept = this.#submissions.isMarked(finding.file);
    await this.#submissions.submit(finding.file, LIVE_RANK, { priority: 'live', unlessKept });
  }
}
