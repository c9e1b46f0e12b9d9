import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { sameIdentity } from '../../model/file-identity.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { Fingerprint } from '../../scanner/fingerprint.ts';
import { inspectFile } from '../../scanner/inspect-file.ts';
import { listDirectory, type ListingTotals } from '../../scanner/list-directory.ts';
import type { Finding, ListedFile } from '../../scanner/listed-file.ts';
import { DirectorySync } from '../directory-sync.ts';
import type { ScanContext } from './scan-context.ts';
import type { Submissions } from './submissions.ts';
import { pause } from '../../flow/wake-up.ts';

/** Files found fresh that a listing holds back at a time until they have settled; then it waits for them. */
const MAX_HELD_BACK = 4096;
/** A round waits this long (ms) for files to settle, or this many times the settle time; then it ends without them. */
const HELD_BACK_MS = 5_000;
const HELD_BACK_SETTLINGS = 4;

/** Files that are sent as they are listed, and fewest that share one sync: a process takes longer than fewer fdatasyncs. */
const FEWEST_SYNCED = 256;
/** Files listed before they are sent, so that one sync is of all of them: 6 MB, and a listing of 0.1 s. */
const MAX_AHEAD = 16_384;

/** The result of listing a data directory once and sending the files that it found. */
export interface RoundResult {
  readonly totals: ListingTotals;
  /** Files that had no mark. Zero is the condition of a seal. */
  readonly unmarked: number;
  /** Files that were marked before this scan began, as far as clocks tell. */
  readonly skipped: number;
  /** Fingerprint of the marked files. */
  readonly markedPrint: string;
  /** Marked files, and their bytes. */
  readonly marked: { readonly files: number; readonly bytes: number };
  readonly durationMs: number;
}

export interface RoundOptions {
  readonly rank: number;
  /** Whether to list only when no older directory is being listed. */
  readonly inTurn: boolean;
  /** Takes over files that may still be written to: resolves later through the watch. Absent: the round waits itself. */
  readonly watchFresh?: (path: RelPath) => void;
  /** Called for each subfolder before it is read. */
  readonly entering: (folder: RelPath) => void;
  /** How long (ms) a file must have been unchanged to be sent at once. */
  readonly settleMs: number;
  readonly found: (file: ListedFile) => void;
}

interface HeldBack {
  readonly file: ListedFile;
  readonly seenAtMs: number;
}

/** Lists `directory` once, submits what has no mark, and waits until all of that has an outcome; not for live files. */
export async function runRound(
  context: ScanContext,
  directory: RelPath,
  submissions: Submissions,
  options: RoundOptions,
): Promise<RoundResult> {
  const round = new Round(context, directory, submissions, options);
  return await round.run();
}

class Round {
  readonly #context: ScanContext;
  readonly #directory: RelPath;
  readonly #submissions: Submissions;
  readonly #options: RoundOptions;
  #heldBack: HeldBack[] = [];
  /** Listed and settled, not yet sent. */
  #ahead: ListedFile[] = [];
  #sentAtOnce = 0;
  #sync: DirectorySync | undefined;
  #open = 0;
  #tellSettled: () => void = () => undefined;
  #unmarked = 0;
  #skipped = 0;
  readonly #markedPrint = new Fingerprint();
  readonly #marked = { files: 0, bytes: 0 };

  constructor(context: ScanContext, directory: RelPath, submissions: Submissions, options: RoundOptions) {
    this.#context = context;
    this.#directory = directory;
    this.#submissions = submissions;
    this.#options = options;
  }

  async run(): Promise<RoundResult> {
    try {
      return await this.#run();
    } finally {
      this.#sync?.[Symbol.dispose]();
      this.#submissions.listed.clear();
    }
  }

  async #run(): Promise<RoundResult> {
    const { stopping, tally } = this.#context;
    tally.forgetProblems(this.#directory);
    const { totals, durationMs } = await this.#listInTurn();
    const { settleMs } = this.#options;
    const end = performance.now() + Math.max(HELD_BACK_MS, HELD_BACK_SETTLINGS * settleMs);
    while (this.#heldBack.length > 0 && !stopping.aborted && performance.now() < end)
      await this.#sendHeldBack();
    if (!stopping.aborted) this.#tellHeldBack();
    await this.#allSettled();
    return {
      totals,
      unmarked: this.#unmarked,
      skipped: this.#skipped,
      markedPrint: this.#markedPrint.toString(),
      marked: this.#marked,
      durationMs,
    };
  }

  async #listInTurn(): Promise<Pick<RoundResult, 'totals' | 'durationMs'>> {
    if (!this.#options.inTurn) return await this.#list();
    const { listings } = this.#context.limits;
    await listings.acquire(this.#options.rank);
    try {
      return await this.#list();
    } finally {
      listings.release();
    }
  }

  async #list(): Promise<Pick<RoundResult, 'totals' | 'durationMs'>> {
    const { options, ignore, ownMarks, stopping } = this.#context;
    const startedMs = performance.now();
    const listing = listDirectory(options.root, this.#directory, {
      ignore,
      entering: this.#options.entering,
      ownMarks,
      signal: stopping,
    });
    let step = await listing.next();
    while (step.done !== true) {
      await this.#takeBatch(step.value);
      step = await listing.next();
    }
    await this.#sendAhead();
    return { totals: step.value, durationMs: performance.now() - startedMs };
  }

  async #takeBatch(batch: readonly Finding[]): Promise<void> {
    for (const finding of batch) {
      if (finding.kind === 'problem') this.#context.tally.problem(this.#directory, finding.problem);
      else if (this.#submissions.isMarked(finding.file)) this.#takeMarked(finding.file);
      else await this.#takeUnmarked(finding.file);
    }
  }

  #takeMarked(file: ListedFile): void {
    if (file.identity.ctimeMs < this.#context.tally.startedMs) this.#skipped++;
    this.#markedPrint.addFile(file);
    this.#marked.files++;
    this.#marked.bytes += file.entry.size;
  }

  async #takeUnmarked(file: ListedFile): Promise<void> {
    const refused = this.#submissions.refusalOf(file);
    if (refused !== undefined) {
      this.#context.tally.problem(this.#directory, refused);
      return;
    }
    this.#unmarked++;
    if (this.#submissions.isInFlight(file.entry.path)) return;
    this.#options.found(file);
    const ageMs = Date.now() - file.identity.mtimeMs;
    // The clock only saves waiting here: what it misjudges is caught by the guarded read and the next listing.
    if (ageMs >= this.#options.settleMs) await this.#take(file);
    else if (this.#options.watchFresh !== undefined) this.#options.watchFresh(file.entry.path);
    else await this.#holdBack(file);
  }

  /** The first ones at once; what comes after them is listed ahead, so that it can share a sync. */
  async #take(file: ListedFile): Promise<void> {
    if (this.#sentAtOnce < FEWEST_SYNCED) {
      this.#sentAtOnce++;
      await this.#submit(file);
      return;
    }
    this.#ahead.push(file);
    this.#submissions.listed.add(file.identity);
    if (this.#ahead.length >= MAX_AHEAD) await this.#sendAhead();
  }

  async #sendAhead(): Promise<void> {
    const files = this.#ahead;
    this.#ahead = [];
    const sync = this.#startSync(files.length);
    for (const file of files) {
      await this.#submit(file, sync);
      this.#submissions.listed.remove(file.identity);
    }
  }

  /**
   * Syncs what has been listed by now, where so many `files` of it are about to be sent. They need not wait for it: until it has
   * ended each is synced by itself.
   */
  #startSync(files: number): DirectorySync | undefined {
    if (files < FEWEST_SYNCED || this.#sync?.running === true || this.#context.stopping.aborted)
      return undefined;
    const { root, log } = this.#context.options;
    this.#sync = DirectorySync.start(join(root, this.#directory));
    if (this.#sync !== undefined) log.debug('files share one sync', { path: this.#directory, files });
    return this.#sync;
  }

  async #holdBack(file: ListedFile): Promise<void> {
    this.#hold(file);
    if (this.#heldBack.length >= MAX_HELD_BACK) await this.#sendHeldBack();
  }

  #hold(file: ListedFile): void {
    this.#heldBack.push({ file, seenAtMs: performance.now() });
    this.#submissions.listed.add(file.identity);
  }

  /** Looks again at the files held back, once they are due; those that changed since are held back anew. */
  async #sendHeldBack(): Promise<void> {
    const due = this.#heldBack;
    this.#heldBack = [];
    const youngestMs = due.at(-1)?.seenAtMs ?? 0;
    await pause(Math.max(0, youngestMs + this.#options.settleMs - performance.now()), this.#context.stopping);
    const sync = this.#startSync(due.length);
    for (const [index, { file }] of due.entries()) {
      if (this.#context.stopping.aborted) return;
      if (index % 256 === 255) await turn();
      this.#submissions.listed.remove(file.identity);
      const finding = inspectFile(this.#context.options.root, file.entry.path);
      if (finding === undefined) continue;
      if (finding.kind === 'problem') this.#context.tally.problem(this.#directory, finding.problem);
      else if (sameIdentity(finding.file.identity, file.identity)) await this.#submit(file, sync);
      else if (!this.#submissions.isMarked(finding.file)) this.#hold(finding.file);
    }
  }

  /** The next listing finds them again. */
  #tellHeldBack(): void {
    const path = this.#heldBack[0]?.file.entry.path;
    if (path === undefined) return;
    const files = this.#heldBack.length;
    this.#context.options.log.info('not sent: it changes all the time', { path, files });
  }

  /** `sync` began after `file` was listed. */
  async #submit(file: ListedFile, sync?: DirectorySync): Promise<void> {
    this.#open++;
    const options = { priority: 'backlog', unlessKept: false, sync } as const;
    const taken = await this.#submissions.submit(file, this.#options.rank, options, () => this.#settled());
    if (!taken) this.#settled();
  }

  #settled(): void {
    this.#open--;
    if (this.#open === 0) this.#tellSettled();
  }

  async #allSettled(): Promise<void> {
    if (this.#open === 0) return;
    await new Promise<void>((resolve) => {
      this.#tellSettled = resolve;
    });
  }
}
