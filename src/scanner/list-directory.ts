import { setImmediate } from 'node:timers/promises';
import type { Abortable } from '../model/abortable.ts';
import type { RelPath } from '../model/rel-path.ts';
import { findingOf } from './finding.ts';
import { Fingerprint } from './fingerprint.ts';
import type { IgnoreRule } from './ignore-rule.ts';
import type { Finding } from './listed-file.ts';
import type { OwnMarks } from './own-marks.ts';
import { walk, type Step } from './walk.ts';

/** Most findings in a batch, and entries looked at before other work gets its turn: about 1 ms of a local disk. */
export const MAX_FINDINGS_PER_BATCH = 256;

interface ListOptions extends Abortable {
  readonly ignore: IgnoreRule;
  /** Called for each subfolder before anything in it is read. Must not throw. */
  readonly entering?: (folder: RelPath) => void;
  /** Marks that need no second look. */
  readonly ownMarks?: OwnMarks | undefined;
}

export interface ListingTotals {
  /** The directory was not there, or was removed or replaced while it was listed: then the other totals mean nothing. */
  readonly gone: boolean;
  /** Regular files among the findings, marked or not. */
  readonly files: number;
  /** Their sizes. */
  readonly bytes: number;
  /** Subfolders at any depth. */
  readonly subfolders: number;
  /** Files that an ignore pattern kept out of the findings. */
  readonly ignored: number;
  /**
   * Path, size, mtime and inode of every file, the ignored ones too, and path and inode of every subfolder: equal for
   * two listings between which nothing was created, written, renamed or removed. Marks do not change it.
   */
  readonly fingerprint: string;
  /** The latest mtime of a file (an ignored one too) or a subfolder, in ms; 0 where there is none. */
  readonly lastChangeMs: number;
}

/**
 * Everything in a data directory, at any depth, in no order, in batches of 1 to {@link MAX_FINDINGS_PER_BATCH}. Memory
 * does not grow with the number of files. What comes and goes meanwhile may or may not be seen.
 *
 * - A finding is a regular file, or a problem: NOT_REGULAR (symlinks, which are never followed, and other special
 *   files), BAD_PATH (not UTF-8, too long, too deep), FILE_UNREADABLE (mostly a folder; the listing goes on without).
 * - The markers right below the data directory are left out. Something under their names that is no regular file is
 *   a problem NOT_REGULAR.
 * - An ignored name, whatever it is (but a folder), is only counted.
 *
 * Rejects only with the signal's reason. The totals are the generator's return value.
 */
export async function* listDirectory(
  root: string,
  directory: RelPath,
  { ignore, entering, ownMarks, signal }: ListOptions,
): AsyncGenerator<readonly Finding[], ListingTotals, undefined> {
  const tally = new Tally(ignore);
  const steps = walk(root, directory, ownMarks);
  try {
    for (;;) {
      signal?.throwIfAborted();
      const batch: Finding[] = [];
      for (let looked = 0; looked < MAX_FINDINGS_PER_BATCH; looked++) {
        const next = steps.next();
        if (next.done === true) {
          if (batch.length > 0) yield batch;
          return tally.totals(next.value === 'gone');
        }
        if (next.value.kind === 'folder') entering?.(next.value.path);
        const finding = tally.take(next.value);
        if (finding !== undefined) batch.push(finding);
      }
      if (batch.length > 0) yield batch;
      await setImmediate();
    }
  } finally {
    steps.return('gone');
  }
}

/** Turns steps into findings and counts them. */
class Tally {
  readonly #ignore: IgnoreRule;
  readonly #fingerprint = new Fingerprint();
  #files = 0;
  #bytes = 0;
  #subfolders = 0;
  #ignored = 0;
  #lastChangeMs = 0;

  constructor(ignore: IgnoreRule) {
    this.#ignore = ignore;
  }

  take(step: Step): Finding | undefined {
    switch (step.kind) {
      case 'nothing':
        return undefined;
      case 'folder':
        this.#subfolders++;
        this.#fingerprint.add(step.path, step.stats.ino);
        this.#lastChangeMs = Math.max(this.#lastChangeMs, step.stats.mtimeMs);
        return undefined;
      case 'finding':
        return step.ignorable && this.#isIgnored(step.path) ? undefined : step.finding;
      case 'entry':
        return this.#takeEntry(findingOf(step.path, step.stats), step.path);
    }
  }

  #takeEntry(finding: Finding, path: RelPath): Finding | undefined {
    if (finding.kind === 'problem') return this.#isIgnored(path) ? undefined : finding;
    const { entry, identity } = finding.file;
    this.#fingerprint.add(path, entry.size, entry.mtimeUs, identity.ino);
    this.#lastChangeMs = Math.max(this.#lastChangeMs, identity.mtimeMs);
    if (this.#isIgnored(path)) return undefined;
    this.#files++;
    this.#bytes += entry.size;
    return finding;
  }

  #isIgnored(path: string): boolean {
    if (!this.#ignore(path)) return false;
    this.#ignored++;
    return true;
  }

  totals(gone: boolean): ListingTotals {
    return {
      gone,
      files: this.#files,
      bytes: this.#bytes,
      subfolders: this.#subfolders,
      ignored: this.#ignored,
      fingerprint: this.#fingerprint.toString(),
      lastChangeMs: this.#lastChangeMs,
    };
  }
}
