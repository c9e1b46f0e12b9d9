import { linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type FileEntry, toMicroseconds } from '../../model/file-entry.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { nameOf, parentOf } from '../../model/rel-path.ts';
import { type Incoming, refuseDamage } from '../rules/damage-rule.ts';
import type { FileDigest } from '../store.ts';
import type { FolderBatch, Folders, StandingFolder } from './folders.ts';
import { digestPublished, syncPublished } from './published.ts';
import { storeError } from './system-errors.ts';

/** Files named in one go: the event loop stands still for their renames, some 10 µs each. */
const BATCH_FILES = 256;
/** No more are named in one go after this long, in ms: those with many new folders take far longer. */
const BATCH_MS = 20;

/** A staged file: complete, checked, stamped and durable under the path `staged`. */
export interface StagedFile extends Incoming {
  readonly staged: string;
  /** Replace the kept version also by one that a power cut seems to have damaged. */
  readonly replaceDamaged: boolean;
}

/**
 * The group commit: gives staged files their names, many between two syncs of the folders they go to, because
 * syncing a folder for every single file is what makes durable writes slow.
 */
export class Publisher {
  readonly #folders: Folders;
  readonly #immutable: boolean;
  #waiting: Publication[] = [];
  #running = false;

  constructor(folders: Folders, immutable: boolean) {
    this.#folders = folders;
    this.#immutable = immutable;
  }

  /**
   * Resolves when the name is durable; the staged name is no longer needed then. Files are named in the order of the calls.
   * When it rejects the staged file is left to the caller, and nothing has been replaced unless a folder would not sync.
   */
  publish(file: StagedFile): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ ...file, resolve, reject });
    if (!this.#running) {
      this.#running = true;
      // Not at once: whatever else has become ready in this turn of the event loop shall come along.
      setImmediate(() => void this.#run());
    }
    return promise;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#publishBatch();
    }
    this.#running = false;
  }

  /** The first of those that wait. One failing file fails alone. Never rejects. */
  async #publishBatch(): Promise<void> {
    const folders = this.#folders.batch();
    const named = new Map<Publication, StandingFolder>();
    const end = performance.now() + BATCH_MS;
    let taken = 0;
    for (const publication of this.#waiting.slice(0, BATCH_FILES)) {
      taken++;
      try {
        named.set(publication, await this.#name(publication, folders));
      } catch (error) {
        publication.reject(storeError(error, publication.file.path));
      }
      if (performance.now() > end) break;
    }
    this.#waiting = this.#waiting.slice(taken);
    const failureOf = await folders.sync(new Set(named.values()));
    for (const [publication, folder] of named) {
      const failure = failureOf(folder);
      if (failure === undefined) publication.resolve();
      else publication.reject(storeError(failure, publication.file.path));
    }
  }

  async #name(publication: Publication, folders: FolderBatch): Promise<StandingFolder> {
    const { file, digest, staged } = publication;
    const folder = folders.ensure(parentOf(file.path));
    const path = join(folder.path, nameOf(file.path));
    if (this.#immutable) await this.#nameOnce(staged, path, file, digest);
    else await this.#replace(staged, path, publication);
    return folder;
  }

  /** Looks right before it replaces: publications of a path come one after the other. */
  async #replace(staged: string, path: string, incoming: StagedFile): Promise<void> {
    const found = incoming.replaceDamaged ? undefined : lstatSync(path, { throwIfNoEntry: false });
    if (found?.isFile() === true) {
      const kept = { ...incoming.file, size: found.size, mtimeUs: toMicroseconds(found.mtimeMs) };
      await refuseDamage(kept, incoming, (algorithm) => digestPublished(path, algorithm, goesOn));
    }
    renameSync(staged, path);
  }

  /** link(2) never replaces anything, not even what somebody else has put there a moment ago. */
  async #nameOnce(staged: string, path: string, file: FileEntry, digest: FileDigest): Promise<void> {
    try {
      linkSync(staged, path);
    } catch (error) {
      if (errnoOf(error) === 'EPERM' || errnoOf(error) === 'ENOTSUP') throw noHardLinks(error, file);
      if (errnoOf(error) !== 'EEXIST') throw error;
      await this.#checkKept(path, file, digest);
    }
    try {
      unlinkSync(staged);
    } catch {
      // It is published. What stays behind is a second name of it, which nobody goes on with; see parts.ts.
    }
  }

  async #checkKept(path: string, file: FileEntry, digest: FileDigest): Promise<void> {
    const found = lstatSync(path);
    if (!found.isFile())
      throw new IsyncError('PATH_CONFLICT', 'something else is in the way', { path: file.path });
    const kept = found.size === file.size ? await digestPublished(path, digest.algorithm, goesOn) : undefined;
    if (kept === undefined || Buffer.compare(kept, digest.value) !== 0) throw keptDifferent(file);
    // Whoever else has put it there need not have made it durable.
    await syncPublished(path);
  }
}

interface Publication extends StagedFile {
  resolve(): void;
  reject(error: IsyncError): void;
}

function goesOn(): void {
  // Whoever put the file waits for the answer; closing the store waits, too.
}

export function keptDifferent(file: FileEntry): IsyncError {
  return new IsyncError('IMMUTABLE', 'kept already with different content', { path: file.path });
}

function noHardLinks(cause: unknown, file: FileEntry): IsyncError {
  return new IsyncError('STORE_FAILED', 'the file system of the store has no hard links', {
    path: file.path,
    retryable: false,
    cause,
    hint: 'An immutable store needs them, so that nothing can be replaced: use another file system.',
  });
}
