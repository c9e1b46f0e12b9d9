import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Limiter } from '../../flow/limiter.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { FreeSpace } from '../../store/file/free-space.ts';
import { ensureFolder, syncNames } from '../../sqlite/state-folder.ts';
import { parseRecordName, type RecordName } from './record-file.ts';
import { SharedSync } from './shared-sync.ts';

/** Records written at a time: their syncs share commits of the journal, and each holds a thread and its bytes. */
const WRITES_AT_ONCE = 32;
/** From this age on, in ms, a draft is left behind by a process that was killed. */
const ABANDONED_MS = 3_600_000;

/** A folder that changed within this time, in ms, may change again without another mtime: clocks of file systems tick slowly. */
const CLOCK_TICK_MS = 1000;

/** What a record takes on the disk at least, with its name, in bytes: a block. */
const LEAST_RECORD_BYTES = 4096;

const DRAFT = /^\.[0-9a-f]{16}\.tmp$/;
const MARKER = /^([0-9a-f]{16})\.replay$/;

/** What is in the folder. */
export interface FolderContent {
  readonly records: readonly RecordName[];
  /** Ids that were asked for. */
  readonly asked: ReadonlySet<string>;
  /** Names that are none of ours. */
  readonly odd: readonly string[];
}

/** The files of parked records, and markers beside them that ask for one again. Each change is durable when it resolves. */
export class ParkingFolder {
  readonly path: string;
  readonly #writes = new Limiter(WRITES_AT_ONCE);
  readonly #names: SharedSync;
  readonly #space: FreeSpace;
  /** Whether the folder is known to be there. */
  #made = false;

  /** @param minFreeBytes that stay free on its disk: strangers choose how much is parked */
  constructor(path: string, minFreeBytes: number) {
    this.path = path;
    this.#space = new FreeSpace(path, minFreeBytes);
    this.#names = new SharedSync(() => syncNames(path));
  }

  /** Nothing where there is no such folder yet. */
  async look(): Promise<FolderContent> {
    const names = await this.#allNames();
    const records: RecordName[] = [];
    const asked = new Set<string>();
    const odd: string[] = [];
    for (const name of names) {
      const record = parseRecordName(name);
      const id = MARKER.exec(name)?.[1];
      if (record !== undefined) records.push(record);
      else if (id !== undefined) asked.add(id);
      else if (!DRAFT.test(name)) odd.push(name);
    }
    records.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { records, asked, odd };
  }

  /** The same as long as nothing changes in the folder; undefined where that can't be known. */
  async version(): Promise<string | undefined> {
    const found = await stat(this.path).catch(() => undefined);
    if (found === undefined || Math.abs(Date.now() - found.mtimeMs) < CLOCK_TICK_MS) return undefined;
    return `${found.ino} ${found.mtimeMs}`;
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    await this.#trying(async () => {
      await this.#make();
      this.#space.take(Math.max(bytes.length, LEAST_RECORD_BYTES), this.path);
      const draft = join(this.path, `.${randomBytes(8).toString('hex')}.tmp`);
      await this.#writes.run(() => writeDurable(draft, bytes, join(this.path, name)));
      await this.#names.run();
    });
  }

  async mark(id: string): Promise<void> {
    await this.#trying(async () => {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;
      await (await open(join(this.path, markerOf(id)), flags, 0o600)).close();
      await this.#names.run();
    });
  }

  /** Removes names that may be gone already. */
  async remove(names: readonly string[]): Promise<void> {
    await this.#trying(async () => {
      let removed = false;
      for (const name of names) removed = (await this.#unlink(name)) || removed;
      if (removed) await this.#names.run();
    });
  }

  /** Removes the drafts that killed processes have left. */
  async tidy(): Promise<void> {
    for (const name of (await this.#allNames()).filter((name) => DRAFT.test(name))) {
      const found = await stat(join(this.path, name)).catch(() => undefined);
      if (found !== undefined && Date.now() - found.mtimeMs > ABANDONED_MS) await this.#unlink(name);
    }
  }

  async #allNames(): Promise<string[]> {
    try {
      return await readdir(this.path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw this.#error(error);
    }
  }

  async #make(): Promise<void> {
    if (this.#made) return;
    await ensureFolder(this.path);
    this.#made = true;
  }

  async #unlink(name: string): Promise<boolean> {
    try {
      await unlink(join(this.path, name));
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async #trying(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (error) {
      // Somebody may have removed it.
      this.#made = false;
      throw this.#error(error);
    }
  }

  #error(error: unknown): IsyncError {
    if (error instanceof IsyncError) return error;
    const errno = errnoOf(error);
    const details = { path: this.path, cause: error };
    if (errno === 'ENOSPC' || errno === 'EDQUOT')
      return new IsyncError('STORE_FULL', 'the disk of the parking folder is full', {
        ...details,
        hint: 'Free some space; it goes on by itself.',
      });
    return new IsyncError('STORE_FAILED', `the parking folder fails (${errno ?? String(error)})`, {
      ...details,
      hint: 'Check the disk, and that the user isync runs as may write the folder.',
    });
  }
}

/** The name beside a record that asks for it again. */
export function markerOf(id: string): string {
  return `${id}.replay`;
}

/** Gives the bytes their name once they are durable; the name itself is not yet. */
async function writeDurable(draft: string, bytes: Uint8Array, path: string): Promise<void> {
  try {
    {
      await using file = await open(draft, 'wx', 0o600);
      await file.writeFile(bytes);
      await file.datasync();
    }
    await rename(draft, path);
  } catch (error) {
    await unlink(draft).catch(() => undefined);
    throw error;
  }
}
