import { linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { damageOf } from '../../model/damage.ts';
import { type FileEntry, toMicroseconds } from '../../model/file-entry.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { nameOf, parentOf, type RelPath } from '../../model/rel-path.ts';
import { type Incoming, refuseDamage } from '../rules/damage-rule.ts';
import { isKeptAlready } from '../rules/immutability.ts';
import type { FileDigest } from '../store.ts';
import { isVanished, NO_HARD_LINKS } from './folder-calls.ts';
import type { FolderBatch, Folders, StandingFolder } from './folders.ts';
import { digestPublished, syncPublished } from './published.ts';
import { storeError } from './system-errors.ts';

/** Files named in one go: their renames hold up the event loop, some 10 µs each. */
const BATCH_FILES = 256;
/** Time in ms after which no more are named in one go: files with many new folders take far longer. */
const BATCH_MS = 20;

/** Tries of a step whose folder another process removes at the same moment. */
const TRIES = 10;

/** What becomes of a file whose name another one has: it replaces that, has to equal it (see immutability.ts), or is refused. */
export type WhenTaken = 'replace' | 'compare' | 'refuse';

/** A staged file: complete, checked, stamped and durable under the path `staged`. */
export interface StagedFile extends Incoming {
  readonly staged: string;
  /** Whether it replaces the kept version even when a power cut seems to have damaged it. */
  readonly replaceDamaged: boolean;
}

/**
 * The group commit: gives staged files their names, many between two syncs of the folders they go to, because syncing a
 * folder for every single file is what makes durable writes slow. Removals go through it too, so that no folder goes
 * between the look at it and the name in it.
 */
export class Publisher {
  readonly #folders: Folders;
  readonly #whenTaken: WhenTaken;
  #waiting: Step[] = [];
  #running = false;

  constructor(folders: Folders, whenTaken: WhenTaken) {
    this.#folders = folders;
    this.#whenTaken = whenTaken;
  }

  /**
   * Resolves when the name is durable; the staged name is no longer needed then. Files are named in the order of the calls.
   * When it rejects the staged file is left to the caller, and nothing has been replaced unless a folder would not sync.
   */
  publish(file: StagedFile): Promise<void> {
    return this.#promised((settled) => this.publishThen(file, settled));
  }

  /** The same without a promise: tells `settled` when it is done, with the reason where it failed. */
  publishThen(file: StagedFile, settled: Settled): void {
    this.#take({ path: file.file.path, take: (folders) => this.#name(folders, file), tries: 1, settled });
  }

  /** Resolves when the file and the folders above it that this leaves empty are gone for good; see FolderBatch. */
  remove(path: RelPath): Promise<void> {
    return this.#changed(path, (folders) => folders.remove(path), TRIES);
  }

  /** Resolves when the folder is durable. */
  makeFolder(path: RelPath): Promise<void> {
    return this.#changed(path, (folders) => folders.within(path, async () => {}), TRIES);
  }

  /** Resolves when the folder, if it is empty, and those above that this leaves empty are gone for good. */
  removeFolder(path: RelPath): Promise<void> {
    return this.#changed(path, (folders) => folders.removeFolder(path), TRIES);
  }

  /**
   * Resolves when the name of the file that is there is durable, as its bytes are already.
   * @param isThere whether they are: else there was no file
   */
  settle(path: RelPath, isThere: boolean): Promise<void> {
    return this.#changed(path, (folders) => {
      const folder = folders.ensure(parentOf(path));
      const found = lstatSync(`${folder.path}/${nameOf(path)}`, { throwIfNoEntry: false });
      if (!isThere || found?.isFile() !== true)
        throw new IsyncError('FILE_VANISHED', 'the file was removed meanwhile', { path, retryable: true });
      return folder;
    });
  }

  /** @param tries for what may be done twice, should another process remove the folder before it is synced */
  #changed(path: RelPath, take: Step['take'], tries = 1): Promise<void> {
    return this.#promised((settled) => this.#take({ path, take, tries, settled }));
  }

  #promised(begin: (settled: Settled) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    begin((failure) => {
      if (failure === undefined) resolve();
      else reject(failure);
    });
    return promise;
  }

  #take(step: Step): void {
    this.#waiting.push(step);
    if (this.#running) return;
    this.#running = true;
    // Not at once: whatever else becomes ready in this turn of the event loop comes along.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#takeBatch();
    }
    this.#running = false;
  }

  /** Takes the first steps that wait. One that fails fails alone. Never rejects. */
  async #takeBatch(): Promise<void> {
    const folders = this.#folders.batch();
    const done = new Map<Step, StandingFolder>();
    const end = performance.now() + BATCH_MS;
    let taken = 0;
    for (const step of this.#waiting.slice(0, BATCH_FILES)) {
      taken++;
      try {
        const folder = step.take(folders);
        done.set(step, folder instanceof Promise ? await folder : folder);
      } catch (error) {
        step.settled(storeError(error, step.path));
      }
      if (performance.now() > end) break;
    }
    this.#waiting = this.#waiting.slice(taken);
    const failureOf = await folders.sync(new Set(done.values()));
    for (const [step, folder] of done) {
      const failure = failureOf(folder);
      if (failure === undefined) step.settled();
      else if (isVanished(failure) && step.tries > 1) this.#waiting.push({ ...step, tries: step.tries - 1 });
      else step.settled(storeError(failure, step.path));
    }
  }

  #name(folders: FolderBatch, file: StagedFile): StandingFolder | Promise<StandingFolder> {
    const folder = this.#whenTaken === 'replace' ? replaceAtOnce(folders, file) : linkAtOnce(folders, file);
    if (folder !== undefined) return folder;
    return folders.within(parentOf(file.file.path), async (folder) => {
      const path = `${folder.path}/${nameOf(file.file.path)}`;
      if (this.#whenTaken === 'replace') await this.#replace(path, file);
      else await this.#nameOnce(path, file);
    });
  }

  /** Looks right before it replaces: publications of a path come one after the other. */
  async #replace(path: string, incoming: StagedFile): Promise<void> {
    const kept = incoming.replaceDamaged ? undefined : keptAt(path, incoming.file);
    await refuseDamage(kept, incoming, (algorithm) => digestPublished(path, algorithm, goesOn));
    renameSync(incoming.staged, path);
  }

  /** link(2) never replaces anything, not even what another process has put there a moment ago. */
  async #nameOnce(path: string, { staged, file, digest }: StagedFile): Promise<void> {
    try {
      linkSync(staged, path);
    } catch (error) {
      const errno = errnoOf(error) ?? '';
      if (NO_HARD_LINKS.has(errno)) {
        if (this.#whenTaken === 'compare') throw noHardLinks(error, file);
        // A look right before it is all that such a file system allows.
        if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) throw taken(path, file);
        renameSync(staged, path);
        return;
      }
      if (errno !== 'EEXIST') throw error;
      if (this.#whenTaken === 'refuse') throw taken(path, file);
      await checkKept(path, file, digest);
    }
    unlinkStaged(staged);
  }
}

/** Told once: without a failure when the change is durable. Must not throw. */
type Settled = (failure?: IsyncError) => void;

/** Something that changes names, and what it is to be told. */
interface Step {
  readonly path: RelPath;
  /** Does it, and tells the folder that must be synced for it. */
  readonly take: (folders: FolderBatch) => StandingFolder | Promise<StandingFolder>;
  /** Left, this one included: see TRIES. */
  readonly tries: number;
  readonly settled: Settled;
}

/**
 * The usual case without a promise, which would cost more than the rename. Undefined where nothing was done: what is kept has to
 * be compared, or the folder was removed meanwhile.
 */
function replaceAtOnce(folders: FolderBatch, incoming: StagedFile): StandingFolder | undefined {
  const { file, allZeros, staged, replaceDamaged } = incoming;
  try {
    const folder = folders.ensure(parentOf(file.path));
    const path = `${folder.path}/${nameOf(file.path)}`;
    const kept = replaceDamaged ? undefined : keptAt(path, file);
    if (kept !== undefined && damageOf(kept, file, allZeros) !== undefined) return undefined;
    renameSync(staged, path);
    return folder;
  } catch (error) {
    if (isVanished(error)) return undefined;
    throw error;
  }
}

/** The same for a name that nothing else has. Whatever keeps it from being given is found and told by the other way. */
function linkAtOnce(folders: FolderBatch, { file, staged }: StagedFile): StandingFolder | undefined {
  try {
    const folder = folders.ensure(parentOf(file.path));
    linkSync(staged, `${folder.path}/${nameOf(file.path)}`);
    unlinkStaged(staged);
    return folder;
  } catch {
    return undefined;
  }
}

function unlinkStaged(staged: string): void {
  try {
    unlinkSync(staged);
  } catch {
    // It is published. What stays behind is a second name of it, which nobody resumes; see parts.ts.
  }
}

/** The version of `file` that is kept at `path`; undefined where there is none. */
function keptAt(path: string, file: FileEntry): FileEntry | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isFile() !== true) return undefined;
  return { path: file.path, size: found.size, mtimeUs: toMicroseconds(found.mtimeMs) };
}

async function checkKept(path: string, file: FileEntry, digest: FileDigest): Promise<void> {
  const found = lstatSync(path);
  if (!found.isFile())
    throw new IsyncError('PATH_CONFLICT', 'something else is in the way', { path: file.path });
  await isKeptAlready(found, file, digest, (algorithm) => digestPublished(path, algorithm, goesOn));
  // The process that has put it there need not have made it durable.
  await syncPublished(path);
}

function taken(path: string, file: FileEntry): IsyncError {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    return new IsyncError('PATH_CONFLICT', 'a folder is in the way', { path: file.path });
  return new IsyncError('NOT_OVERWRITTEN', 'something else has this name', { path: file.path });
}

function goesOn(): void {
  // The caller of put waits for the answer; closing the store waits, too.
}

function noHardLinks(cause: unknown, file: FileEntry): IsyncError {
  return new IsyncError('STORE_FAILED', 'the file system of the store has no hard links', {
    path: file.path,
    retryable: false,
    cause,
    hint: 'An immutable store needs them, so that nothing can be replaced: use another file system.',
  });
}
