import { LRUCache } from 'lru-cache';
import { pause } from '../../flow/wake-up.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { listDirectory } from '../../scanner/list-directory.ts';
import type { Directories } from './directories.ts';
import type { DirectoryRun } from './directory-run.ts';
import type { ScanContext } from './scan-context.ts';
import { bothWaiting, NOTHING_WAITS, WaitingCount, type Waiting } from './waiting-files.ts';

/** Nothing is measured before, in ms: what is done by then needs no estimate. */
const FIRST_MS = 10_000;
/** How often it is looked for what is to be measured, in ms. */
const LOOK_MS = 5_000;
/** A measure is as good as the truth for this long, in ms. */
const FRESH_MS = 60_000;
/** The meter lists for this part of the time at most, so that it costs a scan one part in a hundred. */
const SHARE = 1 / 100;
/** Directories whose measure is remembered. 200 bytes each. */
const MAX_MEASURES = 10_000;

interface Measure {
  readonly waiting: Waiting;
  /** Marked in the directory when it was measured. */
  readonly marks: { readonly files: number; readonly bytes: number };
  /** On the clock of performance.now(). */
  readonly atMs: number;
}

/**
 * Estimates what waits to be sent. What the scan has at hand it knows anyway; directories that it has not listed to their
 * end are listed here beside it, slowly, and counted down by what is sent of them.
 */
export class BacklogMeter {
  readonly #context: ScanContext;
  readonly #directories: Directories;
  readonly #stuckAfterMs: number;
  readonly #measures = new LRUCache<RelPath, Measure>({ max: MAX_MEASURES });

  /** @param stuckAfterMs how long an active directory may be without a write before it is looked into for one */
  constructor(context: ScanContext, directories: Directories, stuckAfterMs: number) {
    this.#context = context;
    this.#directories = directories;
    this.#stuckAfterMs = stuckAfterMs;
  }

  /** Of all directories. Costs some microseconds a directory, and one for each few files that are on their way. */
  get waiting(): Waiting {
    let sum = NOTHING_WAITS;
    for (const run of this.#directories.runs()) sum = bothWaiting(sum, this.waitingIn(run));
    return sum;
  }

  waitingIn(run: DirectoryRun): Waiting {
    const known = run.waiting;
    const measure = run.isPartlyKnown ? this.#measures.peek(run.name) : undefined;
    if (measure === undefined) return known;
    const files = measure.waiting.files - (run.marks.files - measure.marks.files);
    const bytes = measure.waiting.bytes - (run.marks.bytes - measure.marks.bytes);
    if (files <= known.files) return known;
    const { oldestMs } = bothWaiting(known, measure.waiting);
    return { files, bytes: Math.max(bytes, known.bytes), oldestMs };
  }

  /** Measures until the signal fires. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await pause(FIRST_MS, signal);
    while (!signal.aborted) {
      for (const run of this.#directories.runs()) {
        if (signal.aborted) return;
        if (this.#isDue(run)) await this.#measure(run, signal);
      }
      await pause(LOOK_MS, signal);
    }
  }

  #isDue(run: DirectoryRun): boolean {
    const measure = this.#measures.peek(run.name);
    if (measure !== undefined && performance.now() - measure.atMs < FRESH_MS) return false;
    return (
      run.isPartlyKnown || (run.state === 'active' && Date.now() - run.lastWriteMs > this.#stuckAfterMs / 2)
    );
  }

  async #measure(run: DirectoryRun, signal: AbortSignal): Promise<void> {
    const { options, ignore } = this.#context;
    const waiting = new WaitingCount();
    try {
      const listing = listDirectory(options.root, run.name, { ignore, signal });
      for (;;) {
        const beganMs = performance.now();
        const step = await listing.next();
        if (step.done === true) {
          run.wroteAt(step.value.lastChangeMs);
          break;
        }
        for (const finding of step.value)
          if (finding.kind === 'file' && run.isUnsent(finding.file)) waiting.add(finding.file.identity);
        await pause((performance.now() - beganMs) * (1 / SHARE - 1), signal);
      }
    } catch {
      // It stops, or the directory can't be listed: then its own run says why.
      return;
    }
    this.#measures.set(run.name, { waiting, marks: { ...run.marks }, atMs: performance.now() });
  }
}
