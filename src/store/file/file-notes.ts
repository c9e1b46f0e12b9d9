import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../model/isync-error.ts';
import { parseRelPath } from '../../model/rel-path.ts';
import { syncFolder } from '../../model/sync-folder.ts';
import {
  checkNote,
  isNoteName,
  MAX_NOTE_BYTES,
  MAX_NOTES,
  type NoteName,
  type StoreNotes,
} from '../store-notes.ts';
import { guard } from './rejections.ts';
import { discard, stageFile } from './stage-file.ts';
import type { StagingArea } from './staging-area.ts';

/** For whoever may read the store's own folder. */
const MODE = 0o600;
const PATH = parseRelPath('.isync/notes');

/** The files in `STORE/.isync/notes/`. */
export class FileNotes implements StoreNotes {
  readonly #area: StagingArea;
  readonly #folder: string;

  constructor(area: StagingArea) {
    this.#area = area;
    this.#folder = join(area.folder, 'notes');
  }

  read(name: NoteName): Promise<Buffer | undefined> {
    return guard(PATH, undefined, () => unlessMissing(() => this.#read(name)));
  }

  list(): Promise<NoteName[]> {
    return guard(PATH, undefined, async () => {
      const names = (await unlessMissing(() => readdir(this.#folder))) ?? [];
      return names.filter(isNoteName).slice(0, MAX_NOTES);
    });
  }

  write(name: NoteName, bytes: Buffer): Promise<void> {
    checkNote(bytes);
    return guard(PATH, undefined, async () => {
      const file = { path: PATH, size: bytes.length, mtimeUs: Date.now() * 1000 };
      const staged = await stageFile(this.#area, file, bytes, { mode: MODE, owner: undefined });
      try {
        await mkdir(this.#folder, { recursive: true, mode: 0o700 });
        await rename(staged, join(this.#folder, name));
      } catch (error) {
        await discard(staged);
        throw error;
      }
      for (const folder of [this.#folder, this.#area.folder]) await syncFolder(folder);
    });
  }

  async remove(name: NoteName): Promise<void> {
    await guard(PATH, undefined, () => unlessMissing(() => unlink(join(this.#folder, name))));
  }

  async #read(name: NoteName): Promise<Buffer | undefined> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    await using file = await open(join(this.#folder, name), flags);
    const found = await file.stat();
    return found.isFile() && found.size <= MAX_NOTE_BYTES ? await file.readFile() : undefined;
  }
}

async function unlessMissing<T>(step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
