import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { parseRelPath } from '../../model/rel-path.ts';
import { formatStoreId, MAX_STORE_ID_BYTES, newStoreId, parseStoreId } from '../store-id.ts';
import { syncFolder } from '../../model/sync-folder.ts';
import { NO_HARD_LINKS } from './folder-calls.ts';
import { discard, stageFile } from './stage-file.ts';
import type { StagingArea } from './staging-area.ts';
import { PUBLISHED_MODE } from './stamp.ts';

/** In the store's own folder. */
const FILE_NAME = 'store-id';

/** The id in `STORE/.isync/store-id`. While the file is the same, reading it again costs one lstat. */
export class StoreIdFile {
  readonly #root: string;
  readonly #area: StagingArea;
  readonly #readOnly: boolean;
  readonly #path: string;
  #known: { readonly version: string; readonly id: string } | undefined;
  #finding: Promise<string | undefined> | undefined;

  constructor(root: string, area: StagingArea, readOnly: boolean) {
    this.#root = root;
    this.#area = area;
    this.#readOnly = readOnly;
    this.#path = join(area.folder, FILE_NAME);
  }

  /** The id in the file now, durable. It is made where there is none; undefined where that is so and read-only. */
  async read(): Promise<string | undefined> {
    const version = this.#version();
    if (version !== undefined && version === this.#known?.version) return this.#known.id;
    this.#finding ??= this.#find().finally(() => (this.#finding = undefined));
    return this.#finding;
  }

  async #find(): Promise<string | undefined> {
    const found = readId(this.#path);
    if (this.#readOnly) return found?.id;
    if (found?.id === undefined) await this.#make();
    // Also where another process made it: it may not have come further than the name.
    for (const folder of [this.#area.folder, this.#root]) await syncFolder(folder);
    const kept = readId(this.#path);
    if (kept?.id === undefined)
      throw new IsyncError('STORE_FAILED', 'the id of the store was removed as it was made', {
        path: this.#path,
      });
    this.#known = { id: kept.id, version: kept.version };
    return kept.id;
  }

  /** Makes an id. When several processes do so at once, the first wins. */
  async #make(): Promise<void> {
    const bytes = formatStoreId(newStoreId());
    const entry = { path: PATH, size: bytes.length, mtimeUs: Date.now() * 1000 };
    const staged = await stageFile(this.#area, entry, bytes, { mode: PUBLISHED_MODE, owner: undefined });
    try {
      linkSync(staged, this.#path);
    } catch (error) {
      const errno = errnoOf(error) ?? '';
      if (errno === 'EEXIST' && readId(this.#path)?.id !== undefined) return;
      if (errno !== 'EEXIST' && !NO_HARD_LINKS.has(errno)) throw error;
      // What is there is damaged; or names can't be made without replacing, and then the last of several wins.
      renameSync(staged, this.#path);
    } finally {
      await discard(staged);
    }
  }

  #version(): string | undefined {
    try {
      const found = lstatSync(this.#path, { throwIfNoEntry: false });
      return found && versionOf(found);
    } catch {
      return undefined; // Why it can't be read is told by reading it.
    }
  }
}

const PATH = parseRelPath(`.isync/${FILE_NAME}`);

interface FoundId {
  /** Undefined where the file holds none. */
  readonly id: string | undefined;
  readonly version: string;
}

/** The content of the file at `path`; undefined where there is no file. */
function readId(path: string): FoundId | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    const found = fstatSync(fd);
    const bytes = Buffer.alloc(MAX_STORE_ID_BYTES);
    const id = found.isFile() ? parseStoreId(bytes.subarray(0, readSync(fd, bytes))) : undefined;
    return { id, version: versionOf(found) };
  } finally {
    closeSync(fd);
  }
}

function versionOf({ dev, ino, mtimeMs, ctimeMs }: FileTimes): string {
  return `${dev} ${ino} ${mtimeMs} ${ctimeMs}`;
}

interface FileTimes {
  readonly dev: number;
  readonly ino: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}
