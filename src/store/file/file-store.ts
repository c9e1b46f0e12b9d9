import type { Abortable } from '../../model/abortable.ts';
import { createDigester, type Digester } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { isOwnPath, OWN_FOLDER } from '../../model/own-folder.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { checkContent } from '../check-digest.ts';
import { refuseShorter, ZeroWatch } from '../rules/damage-rule.ts';
import type {
  FileDigest,
  ListOptions,
  PublishOptions,
  PutOutcome,
  ReadOptions,
  StoreCapabilities,
  StoredFile,
  StoreIdentity,
  Upload,
  WholeFile,
} from '../store.ts';
import { PathOrder } from '../../flow/path-order.ts';
import type { StoreNotes } from '../store-notes.ts';
import { OpenUploads } from '../open-uploads.ts';
import { refuseOtherSize, refuseRemoval } from '../rules/immutability.ts';
import { storeClosed } from '../store-errors.ts';
import { appendInPool, DirectAppender, type Append } from './appender.ts';
import { FileBody } from './file-body.ts';
import { FileNotes } from './file-notes.ts';
import { Folders } from './folders.ts';
import { FreeSpace } from './free-space.ts';
import { type Queues, DeviceQueues } from './device-queues.ts';
import { LeftoverCollector } from './leftover-collector.ts';
import { listFiles } from './list-files.ts';
import {
  CHECKED,
  type ContentChecks,
  type FileStoreOptions,
  type LocalBeginOptions,
  type LocalStore,
} from './local-store.ts';
import { claimPart, partOwner, releasePart } from './parts.ts';
import {
  endOf,
  findPublished,
  type Published,
  readInto,
  readPublished,
  statPublished,
  syncIfThere,
} from './published.ts';
import { findDirectly, MOST_DIRECT_BYTES, readDirectly } from './read-directly.ts';
import type { Publisher, WhenTaken } from './publisher.ts';
import { discard } from './stage-file.ts';
import { PUBLISHED_MODE, type Stamping } from './stamp.ts';
import { StagingArea } from './staging-area.ts';
import { StoreIdFile } from './store-id.ts';
import { checkTaken } from './taken-path.ts';
import { existingFolder } from './existing-folder.ts';
import { guard, rejection } from './rejections.ts';
import { FileRetirements } from './retirements.ts';
import { storeError, unreadableFolder } from './system-errors.ts';
import { putWholeFiles } from './whole-files.ts';

const STALE_PARTIAL_MS = 7 * 24 * 3600 * 1000;

/**
 * Opens the store in the folder `path`, which must be there already: a missing folder is more likely a disk that is not
 * mounted than a folder to be made. The store's own files are in the folder `.isync` below. Several processes of one user
 * may have the same store open.
 *
 * @throws IsyncError STORE_MISSING or STORE_FAILED
 */
export async function openFileStore(path: string, options: FileStoreOptions = {}): Promise<LocalStore> {
  const root = await existingFolder(path);
  const area = new StagingArea(root);
  if (options.readOnly === true) return new FileStore(root, area, options);
  try {
    area.make();
  } catch (error) {
    const reason = storeError(error, path);
    // A full store can be read all the same, and takes files again when there is room.
    if (reason.code !== 'STORE_FULL') throw reason;
  }
  const store = new FileStore(root, area, options);
  await store.leftovers.collect();
  return store;
}

class FileStore implements LocalStore {
  readonly capabilities: StoreCapabilities = { listedMtime: true };
  readonly root: string;
  readonly notes: StoreNotes | undefined;
  readonly retirements: FileRetirements;
  readonly leftovers: LeftoverCollector;
  readonly #area: StagingArea;
  readonly #id: StoreIdFile;
  readonly #immutable: boolean;
  readonly #space: FreeSpace;
  readonly #stamping: Stamping;
  readonly #folders: Folders;
  readonly #queues: DeviceQueues;
  readonly #append: Append;
  readonly #readsDirectly: boolean;
  readonly #publishing = new PathOrder();
  readonly #uploads = new OpenUploads();
  #disposed: Promise<void> | undefined;

  constructor(root: string, area: StagingArea, options: FileStoreOptions) {
    this.root = root;
    this.#area = area;
    this.notes = options.readOnly === true ? undefined : new FileNotes(area);
    this.retirements = new FileRetirements(root, area, {
      recordSeals: options.recordSeals ?? false,
      isClosed: () => this.#disposed !== undefined,
    });
    this.#id = new StoreIdFile(root, area, options.readOnly === true);
    this.#immutable = options.immutable ?? false;
    this.leftovers = new LeftoverCollector(area, {
      staleMs: options.stalePartialMs ?? STALE_PARTIAL_MS,
      mostBytes: options.maxStagedBytes ?? Infinity,
    });
    this.#space = new FreeSpace(root, options.minFreeBytes ?? 0);
    this.#stamping = { mode: options.mode ?? PUBLISHED_MODE, owner: options.owner };
    this.#readsDirectly = options.readsDirectly ?? area.isInMemory;
    this.#append = options.direct === true ? new DirectAppender().append : appendInPool;
    this.#folders = new Folders(root, { keeps: options.keeps, owner: options.owner });
    this.#queues = new DeviceQueues(this.#folders, {
      area,
      stamping: this.#stamping,
      whenTaken: whenTaken(options),
      oneQueue: options.oneQueue ?? false,
    });
    if (options.readOnly !== true) this.leftovers.start();
  }

  async identity({ signal }: Abortable = {}): Promise<StoreIdentity> {
    this.#checkGoesOn(signal);
    return guard(OWN_FOLDER, signal, async () => ({
      id: await this.#id.read(),
      freeBytes: this.#space.leftBytes,
    }));
  }

  async stat(path: RelPath, { signal }: Abortable = {}): Promise<FileEntry | undefined> {
    this.#checkGoesOn(signal);
    if (isOwnPath(path)) return undefined;
    return (await guard(path, signal, () => this.#find(path)))?.entry;
  }

  async *list(prefix: RelPath | '', { signal, onUnreadable }: ListOptions = {}): AsyncGenerator<FileEntry> {
    const goesOn = (): void => this.#checkGoesOn(signal);
    goesOn();
    if (prefix !== '' && isOwnPath(prefix)) return;
    try {
      yield* listFiles(this.root, prefix, {
        skip: isOwnPath,
        checkGoesOn: goesOn,
        leavesOut(folder, error) {
          const reason = onUnreadable && unreadableFolder(error, folder);
          if (reason !== undefined) onUnreadable?.(folder, reason);
          return reason !== undefined;
        },
      });
    } catch (error) {
      throw rejection(error, prefix, signal);
    }
  }

  async read(path: RelPath, options: ReadOptions = {}): Promise<StoredFile | undefined> {
    const { signal } = options;
    this.#checkGoesOn(signal);
    if (isOwnPath(path)) return undefined;
    const found = await guard(path, signal, () => this.#find(path));
    if (found === undefined) return undefined;
    // No program can set the ctime.
    const version = `${found.stats.ino} ${found.stats.ctimeMs}`;
    const content = this.#contentOf(found, options);
    return { entry: found.entry, version, bytes: this.#bytesOf(found, options), content };
  }

  put(file: FileEntry, bytes: Uint8Array, digest: FileDigest, options?: PublishOptions): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const outcome = { kept: () => resolve(), refused: (_: WholeFile, reason: unknown) => reject(reason) };
    void this.putMany([{ file, bytes, digest }], outcome, options);
    return promise;
  }

  putMany<File extends WholeFile>(
    files: readonly File[],
    outcome: PutOutcome<File>,
    { replaceDamaged = false }: PublishOptions = {},
  ): Promise<void> {
    const check = ({ file, bytes, digest }: WholeFile): void => {
      this.#checkGoesOn();
      checkTaken(this.root, file.path);
      checkContent(file, bytes, digest);
      this.#space.take(bytes.length, file.path);
    };
    const [publishing, queues] = [this.#publishing, this.#queues];
    return putWholeFiles(files, { publishing, queues, check, outcome, replaceDamaged });
  }

  async begin(file: FileEntry, options: LocalBeginOptions): Promise<Upload> {
    this.#checkGoesOn(options.signal);
    checkTaken(this.root, file.path);
    return this.#uploads.begin(file, () =>
      guard(file.path, options.signal, () =>
        this.#queues.use(file.path, (queues) => this.#begin(queues, file, options)),
      ),
    );
  }

  async remove(path: RelPath, { signal }: Abortable = {}): Promise<void> {
    this.#checkGoesOn(signal);
    if (isOwnPath(path)) return;
    await guard(path, signal, async () => {
      if (this.#immutable) refuseRemoval(await statPublished(this.root, path));
      await this.#named(path, (publisher) => publisher.remove(path));
    });
  }

  async makeFolder(path: RelPath): Promise<void> {
    this.#checkGoesOn();
    checkTaken(this.root, path);
    await guard(path, undefined, () => this.#named(path, (publisher) => publisher.makeFolder(path)));
  }

  async removeFolder(path: RelPath): Promise<void> {
    this.#checkGoesOn();
    if (isOwnPath(path)) return;
    await guard(path, undefined, () => this.#named(path, (publisher) => publisher.removeFolder(path)));
  }

  async settle(path: RelPath): Promise<void> {
    this.#checkGoesOn();
    checkTaken(this.root, path);
    const settle = async ({ settling, publisher }: Queues): Promise<void> => {
      // Not when it is named: many files then share a commit of the journal.
      const isThere = await settling.run(() => syncIfThere(this.root, path));
      await publisher.settle(path, isThere);
    };
    await guard(path, undefined, () => this.#publishing.run(path, () => this.#queues.use(path, settle)));
  }

  async sync(directory: RelPath, { signal }: Abortable = {}): Promise<void> {
    const goesOn = (): void => this.#checkGoesOn(signal);
    goesOn();
    await guard(directory, signal, async () => {
      await this.#folders.sync(directory, goesOn);
      await this.retirements.sealed(directory);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.leftovers.stop();
    // A part that could not be released waits for the next process.
    await this.#uploads.suspend();
    await this.#publishing.idle();
    await this.leftovers.idle();
    await this.#area[Symbol.asyncDispose]();
  }

  #checkGoesOn(signal?: AbortSignal): void {
    if (this.#disposed !== undefined) throw storeClosed();
    signal?.throwIfAborted();
  }

  /** Changes names when it is the turn of `path`. */
  #named(path: RelPath, change: (publisher: Publisher) => Promise<void>): Promise<void> {
    return this.#publishing.run(path, () => this.#queues.use(path, ({ publisher }) => change(publisher)));
  }

  async #find(path: RelPath): Promise<Published | undefined> {
    return this.#readsDirectly ? findDirectly(this.root, path) : findPublished(this.root, path);
  }

  /** Few bytes of a known number. */
  #contentOf(found: Published, options: ReadOptions): Buffer | undefined {
    const { start = 0, length = Infinity } = options;
    const bytes = endOf(found.entry.size, options) - start;
    const isFew = this.#readsDirectly && length <= MOST_DIRECT_BYTES && bytes > 0;
    if (!isFew) return undefined;
    try {
      return readDirectly(this.root, found, options);
    } catch (error) {
      throw rejection(error, found.entry.path, options.signal);
    }
  }

  async *#bytesOf(found: Published, options: ReadOptions): AsyncGenerator<Uint8Array> {
    const { signal, start = 0 } = options;
    const goesOn = (): void => this.#checkGoesOn(signal);
    goesOn();
    try {
      const end = endOf(found.entry.size, options);
      if (this.#readsDirectly && end - start <= MOST_DIRECT_BYTES) {
        const bytes = readDirectly(this.root, found, options);
        if (bytes.length > 0) yield bytes;
        return;
      }
      yield* readPublished(this.root, found, options, goesOn);
    } catch (error) {
      throw rejection(error, found.entry.path, signal);
    }
  }

  async #begin(
    queues: Queues,
    file: FileEntry,
    { algorithm, resume, version, signal, replaceDamaged = false, checks }: LocalBeginOptions,
  ): Promise<FileBody> {
    if (this.#immutable && checks !== undefined)
      throw new IsyncError('INTERNAL', 'an immutable store compares digests', { path: file.path });
    await this.#checkCanBecome(file, replaceDamaged);
    const { path, handle, size } = await queues.claiming.run(() =>
      claimPart(this.#area, file, { resume, version }),
    );
    const release = async (path: string): Promise<void> => {
      await releasePart(this.#area, path);
      this.leftovers.left(partOwner(file));
    };
    try {
      this.#space.check(file.size - size, file.path);
      const digester = new ZeroWatch(checks === undefined ? createDigester(algorithm) : digesterOf(checks));
      const goesOn = (): void => this.#checkGoesOn(signal);
      const offset =
        size === 0 ? 0 : await queues.resuming.run(() => readInto(digester, handle, size, goesOn));
      return new FileBody({
        file,
        algorithm,
        digester,
        offset,
        handle,
        path,
        space: this.#space,
        stamping: this.#stamping,
        append: this.#append,
        release,
        publish: (staged) =>
          this.#named(file.path, (publisher) => publisher.publish({ ...staged, replaceDamaged })),
      });
    } catch (error) {
      await handle.close();
      // Kept, what can't be read would fail every later attempt too.
      await (errnoOf(error) === 'EIO' ? discard(path) : release(path));
      throw error;
    }
  }

  /** Refuses at once what would be refused at the commit, after all its bytes have come. */
  async #checkCanBecome(file: FileEntry, replaceDamaged: boolean): Promise<void> {
    this.#folders.checkWay(file.path);
    const kept = await statPublished(this.root, file.path);
    if (this.#immutable) refuseOtherSize(kept, file);
    if (!replaceDamaged) refuseShorter(kept, file);
  }
}

function whenTaken({ immutable = false, onlyNew = false }: FileStoreOptions): WhenTaken {
  if (onlyNew) return 'refuse';
  return immutable ? 'compare' : 'replace';
}

function digesterOf(checks: ContentChecks): Digester {
  return {
    update: (bytes) => checks.update(bytes),
    digest: () => {
      checks.check();
      return Buffer.from(CHECKED);
    },
  };
}
