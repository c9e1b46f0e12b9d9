import type { Problem } from '../../model/problem.ts';
import { errnoOf, IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { syncFolder } from '../../model/sync-folder.ts';
import { openFiles } from '../../scanner/open-files.ts';
import { readSealRecord } from '../../scanner/seal-record.ts';
import { tickOf } from '../clock-tick.ts';
import type { Candidate } from './candidates.ts';
import { compareDirectory } from './compare-directory.ts';
import type { ExpiredDirectory, ExpireOptions } from './expire-options.ts';
import { recordExpired } from './expired-log.ts';
import type { Place } from './place.ts';
import { removeDirectory } from './remove-directory.ts';
import { newerFault, sealFor, type FullSeal } from './seal-faults.ts';
import { putBack, setAside } from './set-aside.ts';
import { survey, type Survey } from './survey.ts';

export type Outcome =
  | { readonly kind: 'expired'; readonly gone: Omit<ExpiredDirectory, 'because'> }
  | { readonly kind: 'kept'; readonly problem: Problem };

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
  static async open(options: ExpireOptions): Promise<DirectoryExpiry> {
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
    const aside = place.at === name ? await setAside(place.root, directory) : place;
    if ('fault' in aside) return stays(name, aside.fault);
    return await this.#remove(aside, { seal, print: compared.print });
  }

  /** Looks at a directory that was set aside once more; removes it, or puts it back. */
  async #remove(aside: Place, { seal, print }: Verified): Promise<Outcome> {
    let gone: Outcome;
    try {
      const last = await this.#survey(aside);
      const fault = last.fault ?? this.#changeOf(aside, last, { seal, print });
      if (fault !== undefined) return await this.#back(aside, fault);
      await removeDirectory({
        path: `${aside.root}/${aside.at}`,
        lastCtimeMs: last.lastCtimeMs,
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

  #changeOf(
    { root, at, name }: Place,
    last: Survey,
    { seal, print }: Verified,
  ): { readonly path: string; readonly message: string } | undefined {
    const now = readSealRecord(root, at);
    if (now?.finished !== seal.finished || now.fingerprint !== seal.fingerprint)
      return { path: name, message: 'its finished.watch was changed meanwhile' };
    if (last.print !== print) return { path: name, message: 'something in it has changed meanwhile' };
    // A change within the same tick of the clock would not show.
    if (Date.now() - last.lastCtimeMs < tickOf(last.lastCtimeMs))
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
