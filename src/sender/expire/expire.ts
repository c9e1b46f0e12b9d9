import { accessSync, constants, realpathSync } from 'node:fs';
import { toIsyncError, type IsyncError } from '../../model/isync-error.ts';
import type { Problem } from '../../model/problem.ts';
import { listDataDirectories } from '../../scanner/list-data-directories.ts';
import { checkRoot } from '../root-check.ts';
import { candidatesIn, type Candidate } from './candidates.ts';
import { DirectoryExpiry } from './directory-expiry.ts';
import { takeExpireLock } from './expire-lock.ts';
import type { ExpiredDirectory, ExpireOptions, ExpireSummary } from './expire-options.ts';
import type { Place } from './place.ts';
import { RoomWatch } from './room-watch.ts';
import { leftAside, putBack, removedEmpty } from './set-aside.ts';

export interface ExpireResult {
  readonly summary: ExpireSummary;
  /** Why the run ended before its time; undefined when it did what it was asked to. */
  readonly failure: IsyncError | undefined;
}

/**
 * Removes sealed directories from a root, the oldest first, each only after all of it was compared with the target. Ends at
 * the first word of the target that can't be relied on, and between two directories when the signal fires. Rejects with
 * CONFIG_INVALID, ROOT_MISSING, READ_ONLY and BUSY where it can't begin.
 */
export async function expire(given: ExpireOptions): Promise<ExpireResult> {
  const options = { ...given, root: realRoot(given.root) };
  const { root, dryRun, log } = options;
  if (!dryRun) checkWritable(root);
  const lock = dryRun ? undefined : await takeExpireLock(root, log);
  try {
    const run = new Expiry(options);
    const failure = await run.run();
    return { summary: await run.summary(), failure };
  } finally {
    lock?.[Symbol.dispose]();
  }
}

/** Names within it are made durable, and mount points compared, by its real path. */
function realRoot(root: string): string {
  try {
    return realpathSync(root);
  } catch {
    // The first look at it tells what is wrong.
    return root;
  }
}

/** @throws IsyncError READ_ONLY */
function checkWritable(root: string): void {
  try {
    accessSync(root, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw toIsyncError(error, 'READ_ONLY', {
      path: root,
      hint: 'isync renames directories within the root before it removes them: grant it write permission there.',
    });
  }
}

class Expiry {
  readonly #options: ExpireOptions;
  readonly #startedMs = performance.now();
  readonly #room: RoomWatch;
  readonly #expired: ExpiredDirectory[] = [];
  readonly #kept: (Problem & { directory: string })[] = [];
  #left = 0;
  #young = 0;
  #nextMs = Infinity;
  #unsealed = 0;

  constructor(options: ExpireOptions) {
    this.#options = options;
    this.#room = new RoomWatch(options.root, options.minFree, options.dryRun);
  }

  async run(): Promise<IsyncError | undefined> {
    const { root, tag, newest, signal } = this.#options;
    await this.#putBackAll();
    const found = await listDataDirectories(root, { tag });
    checkRoot('expire', root, tag, found);
    this.#unsealed = found.directories.filter(({ seal }) => seal === undefined).length;
    try {
      await this.#expireAll(candidatesIn(root, found.directories, newest));
      return undefined;
    } catch (thrown) {
      return signal.aborted ? undefined : toIsyncError(thrown, 'INTERNAL');
    }
  }

  async summary(): Promise<ExpireSummary> {
    const expired = this.#expired;
    const { freeBytes, totalBytes } = this.#room.now;
    return {
      expired,
      files: expired.reduce((sum, { files }) => sum + files, 0),
      bytes: expired.reduce((sum, { bytes }) => sum + bytes, 0),
      kept: this.#kept,
      left: this.#left,
      freeBytes,
      totalBytes,
      short: await this.#room.isShort(),
      young: this.#young,
      next: Number.isFinite(this.#nextMs) ? new Date(this.#nextMs).toISOString() : undefined,
      unsealed: this.#unsealed,
      dryRun: this.#options.dryRun,
      seconds: (performance.now() - this.#startedMs) / 1000,
    };
  }

  /**
   * What an interrupted run has set aside is a data directory again. One whose name is taken by now stays, and is told: what the target
   * has under that name may be of the new one.
   */
  async #putBackAll(): Promise<void> {
    const { root, tag, dryRun, log } = this.#options;
    for (const place of leftAside(root).filter(({ name }) => name.startsWith(tag)))
      if (dryRun) log.info('an interrupted run has set it aside', { path: place.at });
      else if (removedEmpty(place)) log.info('gone: an interrupted run had emptied it', { path: place.name });
      else if (await putBack(place))
        log.info('put back: an interrupted run had set it aside', { path: place.name });
      else this.#keepAside(place);
  }

  async #expireAll(candidates: readonly Candidate[]): Promise<void> {
    const { signal, maxDelete = Infinity, spare = () => false } = this.#options;
    let directories: DirectoryExpiry | undefined;
    for (const candidate of candidates) {
      if (signal.aborted) return;
      const because = await this.#dueBecause(candidate);
      if (because === undefined || spare(candidate.directory.name)) continue;
      if (this.#expired.length >= maxDelete) {
        this.#left++;
        continue;
      }
      directories ??= await DirectoryExpiry.open(this.#options);
      const outcome = await directories.expire(candidate);
      if (outcome.kind === 'kept') this.#keep(candidate, outcome.problem);
      else if (outcome.kind === 'expired') this.#count({ ...outcome.gone, because });
    }
  }

  async #dueBecause({ sealedMs }: Candidate): Promise<ExpiredDirectory['because'] | undefined> {
    const { keepMs = Infinity, keepAtLeastMs } = this.#options;
    const ageMs = Date.now() - sealedMs;
    // A seal from the future has no age that says anything.
    if (ageMs < Math.max(keepAtLeastMs, 0)) {
      this.#young++;
      this.#nextMs = Math.min(this.#nextMs, sealedMs + Math.max(keepAtLeastMs, 0));
      return undefined;
    }
    if (ageMs >= keepMs) return 'age';
    return (await this.#room.isShort()) ? 'room' : undefined;
  }

  #keepAside({ at, name }: Place): void {
    const message = 'an interrupted run has set it aside, and another directory has its name by now';
    this.#keepNamed(name, { code: 'NOT_EXPIRED', path: at, message });
  }

  #keep({ directory: { name } }: Candidate, problem: Problem): void {
    this.#keepNamed(name, problem);
  }

  #keepNamed(name: string, problem: Problem): void {
    this.#kept.push({ directory: name, ...problem });
    this.#options.observer.kept(name, problem);
  }

  #count(gone: ExpiredDirectory): void {
    this.#expired.push(gone);
    this.#room.made(gone.bytes);
    this.#options.observer.expired(gone);
  }
}
