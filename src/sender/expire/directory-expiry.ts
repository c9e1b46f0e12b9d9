import { lstatSync } from 'node:fs';
import { pause } from '../../flow/wake-up.ts';
import type { Problem } from '../../model/problem.ts';
import { errnoOf, IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { syncFolder } from '../../model/sync-folder.ts';
import { openFiles } from '../../scanner/open-files.ts';
import { removeDirectory } from '../../scanner/remove-directory.ts';
import { readSealRecord } from '../../scanner/seal-record.ts';
import { tickOf } from '../../scanner/clock-tick.ts';
import type { Candidate } from './candidates.ts';
import { compareDirectory, lookAgain } from './compare-directory.ts';
import type { ExpiredDirectory, ExpireOptions } from './expire-options.ts';
import { recordExpired } from './expired-log.ts';
import type { Place } from './place.ts';
import { newerFault, sealFor, type FullSeal } from './seal-faults.ts';
import { putBack, setAside } from './set-aside.ts';
import { survey, type Survey } from './survey.ts';

export type Outcome =
  | { readonly kind: 'expired'; readonly gone: Omit<ExpiredDirectory, 'because'> }
  | { readonly kind: 'kept'; readonly problem: Problem };

/** For the target to say that it still has a directory, in ms: meanwhile nobody finds it under its name here. */
const CONFIRM_MS = 300_000;
/** Longer than any tick of a clock of files, in ms. */
const SETTLE_MS = 50;

/** What a directory was found to be at the target, and here at the same time. */
interface Verified {
  readonly seal: FullSeal;
  /** Of all its files; see VerifiedPrint. */
  readonly print: string;
}

/** Removes directories one by one, each once all of it was found at the target. */
export class DirectoryExpiry {
  readonly #options: ExpireOptions;
  readonly #store: string;

  private constructor(options: ExpireOptions, store: string) {
    this.#options = options;
    this.#store = store;
  }

  /** Asks the target which store it is; from then on only that one's word counts. @throws IsyncError OTHER_STORE */
  static async open(given: ExpireOptions): Promise<DirectoryExpiry> {
    const options = { ...given, target: (await given.connect?.()) ?? given.target };
    const { store } = await options.target.identify({ signal: options.signal });
    if (store === undefined)
      throw new IsyncError('OTHER_STORE', 'the target does not say which store it is', {
        hint: 'Update the receiver; its log says where the store fails to tell its id.',
      });
    return new DirectoryExpiry(options, store);
  }

  /** Rejects with the errors that end a run; the directory is where it was then, or its error says where. */
  async expire(candidate: Candidate): Promise<Outcome> {
    const { directory, place } = candidate;
    const { name } = directory;
    const seal = sealFor(directory, this.#store, this.#options.target.traits.device);
    if ('fault' in seal) return stays(name, seal.fault);
    const before = await this.#survey(place);
    const fault = before.fault ?? newerFault(before, seal);
    if (fault !== undefined) return stays(fault.path, fault.message);
    const { signal, target, readBack, observer, dryRun } = this.#options;
    const compared = await compareDirectory(place, {
      target,
      store: this.#store,
      readBack,
      signal,
      onCompared: (files, bytes) => observer.compared(files, bytes),
    });
    if (compared.outcome === 'different') return { kind: 'kept', problem: compared.problem };
    signal.throwIfAborted();
    if (dryRun) return expired(name, before, seal);
    const aside = await setAside(place.root, directory);
    if ('fault' in aside) return stays(name, aside.fault);
    const verified = { seal, print: compared.print };
    // A change is the matter of this directory; what the target lacks after this look is that of the target.
    const changed = await this.#lookedAt(aside, verified);
    if ('fault' in changed) return await this.#back(aside, changed.fault);
    await this.#confirm(aside);
    return await this.#remove(aside, verified);
  }

  /**
   * Asks the target once more, now that the directory has another name here: a target that is this very root, by a mount or a gateway,
   * does not have it any more. Rejects where it has not, and with the directory put back.
   */
  async #confirm(aside: Place): Promise<void> {
    const { target } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, AbortSignal.timeout(CONFIRM_MS)]);
    try {
      const problem = await lookAgain(aside, { target, store: this.#store, signal });
      if (problem === undefined) return;
      throw new IsyncError('EXPIRE_STOPPED', problem.message, { path: problem.path });
    } catch (error) {
      await putBack(aside);
      if (this.#options.signal.aborted) throw error;
      throw toIsyncError(error, 'EXPIRE_STOPPED', { path: aside.name });
    }
  }

  /** Looks at a directory that was set aside once more; removes it, or puts it back. */
  async #remove(aside: Place, verified: Verified): Promise<Outcome> {
    const { seal } = verified;
    let gone: Outcome;
    try {
      const looked = await this.#lookedAt(aside, verified);
      if ('fault' in looked) return await this.#back(aside, looked.fault);
      const { last } = looked;
      await removeDirectory({
        path: `${aside.root}/${aside.at}`,
        lastCtimeMs: last.lastCtimeMs,
        checkOn: () => checkNotMadeAgain(aside),
        beforeMarker: () => this.#record(aside, seal),
      });
      gone = expired(aside.name, last, seal);
    } catch (thrown) {
      const error = toIsyncError(thrown, 'READ_ONLY', { path: aside.name });
      return await this.#back(aside, { path: aside.name, message: `${error.message} [${codeOf(thrown)}]` });
    }
    await syncFolder(aside.root);
    return gone;
  }

  /** What a directory that was set aside is now, or for which change it has to stay. */
  async #lookedAt(
    aside: Place,
    verified: Verified,
  ): Promise<{ readonly last: Survey } | { readonly fault: Fault }> {
    // The rename has changed a ctime: it must lie behind when the look begins.
    await pause(SETTLE_MS, this.#options.signal);
    const last = await this.#survey(aside);
    const fault = last.fault ?? this.#changeOf(aside, last, verified);
    return fault === undefined ? { last } : { fault };
  }

  #changeOf(
    { root, at, name }: Place,
    last: Survey,
    { seal, print }: Verified,
  ): { readonly path: string; readonly message: string } | undefined {
    const now = readSealRecord(root, at);
    if (now?.finished !== seal.finished || now.fingerprint !== seal.fingerprint)
      return { path: name, message: 'its finished.watch was changed meanwhile' };
    if (last.print !== print) return { path: name, message: 'something in it has changed meanwhile' };
    // A change since the look has begun, within the same tick of the clock as the latest, would not show.
    if (last.startedMs - last.lastCtimeMs < tickOf(last.lastCtimeMs))
      return { path: name, message: 'something in it has changed just now' };
    return undefined;
  }

  async #back(aside: Place, { path, message }: Fault): Promise<Outcome> {
    if (await putBack(aside)) return stays(path, message);
    const where = `it stays as ${aside.at}, for another directory has its name by now`;
    return stays(path, `${message}; ${where}`);
  }

  async #survey(place: Place): Promise<Survey> {
    const { ignore, signal } = this.#options;
    return await survey(place, { ignore, open: await openFiles(), signal });
  }

  /** Not to have it written down is told, and holds up nothing: the files are gone by then. */
  async #record({ root, name }: Place, seal: FullSeal): Promise<void> {
    const { targetName, log } = this.#options;
    const { files, bytes, finished: sealed, inode, store, sentAs: device } = seal;
    const time = new Date().toISOString();
    try {
      await recordExpired(root, {
        time,
        name,
        files,
        bytes,
        sealed,
        inode,
        target: targetName,
        store,
        device,
      });
    } catch (error) {
      log.error('what was expired could not be written down', { path: name, err: error });
    }
  }
}

/** @throws IsyncError FILE_CHANGED where its name is there again: from now on the target may hold what is of that one */
function checkNotMadeAgain({ root, name }: Place): void {
  if (lstatSync(`${root}/${name}`, { throwIfNoEntry: false }) === undefined) return;
  throw new IsyncError('FILE_CHANGED', 'it was made again while it was removed', { path: name });
}

type Fault = Pick<Problem, 'path' | 'message'>;

function stays(path: string, message: string): Outcome {
  return { kind: 'kept', problem: { code: 'NOT_EXPIRED', path, message } };
}

function expired(name: string, { files, bytes }: Survey, { finished: sealed }: FullSeal): Outcome {
  return { kind: 'expired', gone: { name, files, bytes, sealed } };
}

function codeOf(thrown: unknown): string {
  return thrown instanceof IsyncError ? thrown.code : (errnoOf(thrown) ?? 'READ_ONLY');
}
