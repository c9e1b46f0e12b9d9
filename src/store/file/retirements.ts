import { mkdirSync, renameSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Abortable } from '../../model/abortable.ts';
import { isDeviceName } from '../../model/device-name.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { PARSE_MARKER } from '../../model/markers.ts';
import { joinRelPath, nameOf, parseRelPath, type RelPath } from '../../model/rel-path.ts';
import { syncFolder } from '../../model/sync-folder.ts';
import { removeDirectory } from '../../scanner/remove-directory.ts';
import type {
  FinishOptions,
  Retirement,
  RetireSpec,
  SealedDirectory,
  StoreRetirements,
} from '../store-retirements.ts';
import { storeClosed } from '../store-errors.ts';
import { Breath } from './breath.ts';
import { lstatAt, readFolder } from './read-folder.ts';
import { guard } from './rejections.ts';
import { contentOf } from './retired-content.ts';
import { type RetirementRecord, RetirementRecords } from './retirement-records.ts';
import type { StagingArea } from './staging-area.ts';
import { storeError } from './system-errors.ts';

/** In the store's own folder: directories that are looked at once more before they go, under the paths that they had in the store. */
const ASIDE = parseRelPath('.isync/retiring');
/** Those that nothing brings back. */
const GONE = parseRelPath('.isync/retired');

export interface RetirementOptions {
  /** Write down each seal, so that a directory which the parser never closed is known as sealed, too. */
  readonly recordSeals: boolean;
  /** Whether the store has been closed. */
  readonly isClosed: () => boolean;
}

/**
 * The retirements of a folder. A directory is renamed into the store's own folder, where no path of a file leads, and looked at there
 * once more; then it gets the name from which nothing comes back, and is removed. So whoever finds it after a power cut knows what to do.
 */
export class FileRetirements implements StoreRetirements {
  readonly #root: string;
  readonly #records: RetirementRecords;
  readonly #options: RetirementOptions;

  constructor(root: string, area: StagingArea, options: RetirementOptions) {
    this.#root = root;
    this.#records = new RetirementRecords(area);
    this.#options = options;
  }

  retiredAt(directory: RelPath): Promise<number | undefined> {
    return guard(directory, undefined, async () => {
      const record = this.#records.read(directory);
      if (record?.retired === undefined) return undefined;
      // Written down before it goes; whoever was interrupted in between, or had no room to take it back, has left it so.
      return isOf(record, lstatAt(this.#at(directory))) ? undefined : record.retired.atMs;
    });
  }

  /** To be called when `directory` has been sealed: from now on it was not retired. */
  async sealed(directory: RelPath): Promise<void> {
    const isOne = directory.split('/').length === 2;
    const before = isOne ? this.#records.read(directory) : undefined;
    // What has a record has it renewed: a later process may go by it.
    if (!isOne || (!this.#options.recordSeals && before === undefined)) return;
    const stats = lstatAt(this.#at(directory));
    if (stats?.isDirectory() !== true) return;
    const record = { sealedMs: Date.now(), ...identityOf(stats) };
    if (before?.retired !== undefined) return await this.#records.write(directory, record);
    // A seal needs no room: what is not written down is known by its parser's marker, or stays.
    if (!(await this.#writeIfRoom(directory, record))) return;
    await this.#ifRoom(directory, () => this.#makeWay(directory));
  }

  devices(): string[] {
    return this.#foldersIn('').filter(isDeviceName);
  }

  async *sealedOf(device: string, { signal }: Abortable = {}): AsyncGenerator<SealedDirectory> {
    const breath = new Breath(() => this.#checkGoesOn(signal));
    for (const name of this.#foldersIn(parseRelPath(device))) {
      if (breath.isDue) await breath.take();
      const sealed = this.#sealOf(joinRelPath(parseRelPath(device), name));
      if (sealed !== undefined) yield sealed;
    }
  }

  retire(directory: SealedDirectory, spec: RetireSpec): Promise<Retirement> {
    return guard(directory.path, spec.signal, () => this.#retire(directory, spec));
  }

  putBack(options: FinishOptions): Promise<void> {
    return this.#each(ASIDE, options, (path) => this.#putBack(path));
  }

  hasLeft(): boolean {
    return [ASIDE, GONE].some((folder) =>
      this.#foldersIn(folder).some((device) => this.#foldersIn(joinRelPath(folder, device)).length > 0),
    );
  }

  finish(options: FinishOptions): Promise<void> {
    return this.#each(GONE, options, async (path) => {
      await this.#remove(path, options.signal);
      await this.#tellLate(path);
    });
  }

  forget(device: string): Promise<void> {
    return guard(device, undefined, () =>
      this.#records.forget(device, (name) => lstatAt(join(this.#root, device, name)) !== undefined),
    );
  }

  async #each(
    folder: RelPath,
    { signal, onDone, onStuck }: FinishOptions,
    step: (path: RelPath) => Promise<void>,
  ): Promise<void> {
    for (const device of this.#foldersIn(folder))
      for (const name of this.#foldersIn(joinRelPath(folder, device))) {
        this.#checkGoesOn(signal);
        const path = parseRelPath(`${device}/${name}`);
        try {
          await guard(path, signal, () => step(path));
          onDone(path);
        } catch (error) {
          this.#checkGoesOn(signal);
          onStuck(path, error);
        }
      }
  }

  async #retire({ path, inode, sealedMs }: SealedDirectory, spec: RetireSpec): Promise<Retirement> {
    const goesOn = (): void => this.#checkGoesOn(spec.signal);
    const content = await contentOf(this.#root, path, goesOn);
    const { files, bytes, lastChangeMs } = content;
    const why = content.fault ?? this.#wayFault(path);
    if (why !== undefined) return stays(why);
    if (lastChangeMs >= spec.notAfterMs) return { outcome: 'younger', lastChangeMs };
    const stats = lstatAt(this.#at(path));
    if (stats?.ino !== inode || !stats.isDirectory()) return stays(OTHER);
    const before: RetirementRecord = { sealedMs, ...identityOf(stats) };
    const after = { ...before, retired: { atMs: Date.now(), files, bytes } };
    // First: whoever misses it at any moment from now on is told why.
    const isWritten = await this.#writeIfRoom(path, after);
    const fault = await this.#setAside(path, inode, spec);
    if (fault !== undefined) {
      await this.#writeIfRoom(path, before);
      return stays(fault);
    }
    try {
      const now = await contentOf(this.#root, at(ASIDE, path), goesOn);
      if (now.fault !== undefined || now.print !== content.print) {
        await this.#putBack(path);
        return stays(now.fault ?? 'something in it has changed meanwhile');
      }
      await this.#rename(at(ASIDE, path), at(GONE, path));
    } catch (error) {
      // A receiver that ends meanwhile, most often: nobody may miss it until the next one begins.
      if (lstatAt(this.#at(at(ASIDE, path))) !== undefined) await this.#putBack(path);
      throw error;
    }
    await this.#remove(path, spec.signal);
    if (!isWritten) await this.#records.write(path, after);
    return { outcome: 'retired', files, bytes };
  }

  /** False where the disk is full: what is retired makes the room for it. */
  #writeIfRoom(path: RelPath, record: RetirementRecord): Promise<boolean> {
    return this.#ifRoom(path, () => this.#records.write(path, record));
  }

  async #ifRoom(path: RelPath, step: () => Promise<void>): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      if (storeError(error, path).code !== 'STORE_FULL') throw error;
      return false;
    }
  }

  /** Why it stays where it is; undefined once it is aside, durably. */
  async #setAside(path: RelPath, inode: number, { objection }: RetireSpec): Promise<string | undefined> {
    await this.#makeWay(path);
    // Nothing happens between these looks and the rename.
    const why = objection();
    if (why !== undefined) return why;
    if (lstatAt(this.#at(path))?.ino !== inode) return OTHER;
    try {
      await this.#rename(path, at(ASIDE, path));
    } catch (error) {
      const errno = errnoOf(error) ?? '';
      if (errno !== 'EBUSY' && errno !== 'EXDEV') throw error;
      return 'something is mounted there';
    }
    return undefined;
  }

  /** Made at the first seal of a device: on a disk that is full to the last block there would be no room for it. */
  async #makeWay(path: RelPath): Promise<void> {
    for (const folder of [ASIDE, GONE]) await this.#makeFolderFor(at(folder, path));
  }

  async #remove(path: RelPath, signal: AbortSignal | undefined): Promise<void> {
    const gone = this.#at(at(GONE, path));
    const checkOn = (): void => this.#checkGoesOn(signal);
    // It was looked at before it got this name, which leads nobody here.
    await removeDirectory({ path: gone, lastCtimeMs: Infinity, checkOn });
    await syncFolder(dirname(gone));
  }

  /** Gives a directory its name again, and it was not retired. Rejects with PATH_CONFLICT where something has that name by now. */
  async #putBack(path: RelPath): Promise<void> {
    // An empty folder would be replaced by rename(2): whoever has made it may be about to fill it.
    if (lstatAt(this.#at(path)) !== undefined) throw inTheWay(path);
    await this.#makeFolderFor(path);
    await this.#rename(at(ASIDE, path), path);
    const record = this.#records.read(path);
    if (record?.retired !== undefined) await this.#records.write(path, { ...record, retired: undefined });
  }

  /** Writes down what found no room as it went. Of one that was sealed since under its name there is nothing to tell. */
  async #tellLate(path: RelPath): Promise<void> {
    const record = this.#records.read(path);
    if (record?.retired !== undefined || lstatAt(this.#at(path)) !== undefined) return;
    const { sealedMs, inode, bornMs } = record ?? { sealedMs: 0, inode: 0, bornMs: 0 };
    await this.#records.write(path, {
      sealedMs,
      inode,
      bornMs,
      retired: { atMs: Date.now(), files: 0, bytes: 0 },
    });
  }

  /** Synchronous up to the rename; resolves when that is durable. */
  async #rename(from: RelPath, to: RelPath): Promise<void> {
    renameSync(this.#at(from), this.#at(to));
    for (const path of [to, from]) await syncFolder(dirname(this.#at(path)));
  }

  /** Durably: what is moved into a folder is as durable as that. */
  async #makeFolderFor(path: RelPath): Promise<void> {
    const folder = dirname(this.#at(path));
    if (mkdirSync(folder, { recursive: true }) === undefined) return;
    for (let above = dirname(folder); ; above = dirname(above)) {
      await syncFolder(above);
      if (above === this.#root) return;
    }
  }

  /** By its record, which stands for this very directory, or by the parser's marker, which is a directory's last file. */
  #sealOf(path: RelPath): SealedDirectory | undefined {
    const stats = lstatAt(this.#at(path));
    if (stats?.isDirectory() !== true) return undefined;
    const record = this.#records.read(path);
    const marker = lstatAt(`${this.#at(path)}/${PARSE_MARKER}`);
    const sealedMs = Math.max(
      record !== undefined && isOf(record, stats) ? record.sealedMs : -1,
      marker?.isFile() === true ? marker.ctimeMs : -1,
    );
    return sealedMs < 0 ? undefined : { path, inode: stats.ino, sealedMs };
  }

  #wayFault(path: RelPath): string | undefined {
    if (lstatAt(dirname(this.#at(path)))?.isDirectory() !== true) return 'the folder of its device is none';
    return [ASIDE, GONE].every((folder) => lstatAt(this.#at(at(folder, path))) === undefined)
      ? undefined
      : 'one of its name that was to go has not gone yet';
  }

  #foldersIn(folder: RelPath | ''): string[] {
    return [...readFolder(this.#root, folder)]
      .filter(({ kind }) => kind === 'folder')
      .map(({ path }) => nameOf(path));
  }

  #at(path: RelPath): string {
    return join(this.#root, path);
  }

  #checkGoesOn(signal: AbortSignal | undefined): void {
    if (this.#options.isClosed()) throw storeClosed();
    signal?.throwIfAborted();
  }
}

const OTHER = 'another directory has its name';

function stays(why: string): Retirement {
  return { outcome: 'stays', why };
}

function at(folder: RelPath, path: RelPath): RelPath {
  return parseRelPath(`${folder}/${path}`);
}

function identityOf({ ino, birthtimeMs }: Stats): Pick<RetirementRecord, 'inode' | 'bornMs'> {
  return { inode: ino, bornMs: birthtimeMs };
}

/** Whether the record is of the very directory that `stats` describe. */
function isOf({ inode, bornMs }: RetirementRecord, stats: Stats | undefined): boolean {
  return stats?.isDirectory() === true && stats.ino === inode && stats.birthtimeMs === bornMs;
}

function inTheWay(path: RelPath): IsyncError {
  return new IsyncError('PATH_CONFLICT', 'another directory has the name of one that could not be removed', {
    path,
    hint: `Move away what is to be kept of STORE/${at(ASIDE, path)}, and remove the rest.`,
  });
}
