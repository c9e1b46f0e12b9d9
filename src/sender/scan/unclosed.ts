import type { RelPath } from '../../model/rel-path.ts';
import { listDirectory, type ListingTotals } from '../../scanner/list-directory.ts';
import { openWriters, type OpenFiles } from '../../scanner/open-files.ts';
import { Quiet } from './quiet.ts';
import type { ScanContext } from './scan-context.ts';

/** Whether a file that is in progress or open still is so is looked at this often, in ms. */
const BUSY_RECHECK_MS = 10_000;

/** How long to wait before looking again, in ms; `why` only where more than our own watch is awaited. */
export interface Hold {
  readonly waitMs: number;
  readonly why?: string;
}

/** Judges whether a directory that nobody has closed is certainly left: only then may it be sealed. */
export class Unclosed {
  readonly #context: ScanContext;
  readonly #directory: RelPath;
  readonly #quiet: Quiet;
  #told = '';

  constructor(context: ScanContext, directory: RelPath) {
    this.#context = context;
    this.#directory = directory;
    this.#quiet = new Quiet(context.options.quietMs);
  }

  /** Takes what a listing has found. Every listing is to be told, for the watch by our own clock begins with it. */
  listed(totals: ListingTotals, folderMtimeMs: number): void {
    this.#quiet.look(totals, folderMtimeMs);
  }

  /**
   * Returns what keeps the directory, as it was listed, from its seal; undefined where nothing does.
   * @param folder what lstat(2) said of the directory before it was listed
   */
  async hold(totals: ListingTotals, folder: { readonly mtimeMs: number }): Promise<Hold | undefined> {
    const left = this.#quiet.look(totals, folder.mtimeMs);
    if (totals.files === 0) return this.#leave('it is empty', 'debug');
    if (totals.ignored > 0) return this.#leave('a file in it is in progress');
    if (left.ahead && left.byWatchMs > 0)
      return this.#leave('a time in it lies in the future', 'warn', left.byWatchMs);
    // What the times allow by the end of our own watch is waited for also with `--once`.
    if (left.byTimesMs > left.byWatchMs)
      return this.#leave('it was written to lately', 'info', left.byTimesMs);
    if (left.byWatchMs > 0) return { waitMs: left.byWatchMs };
    if (await this.#holdsAny(await openWriters())) return this.#leave('a file in it is open for writing');
    return undefined;
  }

  #leave(why: string, level: 'debug' | 'info' | 'warn' = 'info', waitMs = BUSY_RECHECK_MS): Hold {
    if (why !== this.#told)
      this.#context.options.log[level](`left unsealed: ${why}`, { path: this.#directory });
    this.#told = why;
    return { waitMs, why };
  }

  async #holdsAny(writers: OpenFiles): Promise<boolean> {
    const { options, ignore, stopping } = this.#context;
    for await (const batch of listDirectory(options.root, this.#directory, { ignore, signal: stopping }))
      for (const finding of batch)
        if (finding.kind === 'file' && writers.has(finding.file.identity)) return true;
    return false;
  }
}
