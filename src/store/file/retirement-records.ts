import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { mkdir, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseRelPath, type RelPath } from '../../model/rel-path.ts';
import { syncFolder } from '../../model/sync-folder.ts';
import { lstatAt } from './read-folder.ts';
import { discard, stageFile } from './stage-file.ts';
import type { StagingArea } from './staging-area.ts';
import { unlessAbsent, unlessAbsentSync } from './system-errors.ts';

/** For whoever may read the store's own folder. */
const MODE = 0o600;
/** Longest record that is read, in bytes; ours have some 200. */
const MAX_BYTES = 4096;
/** Records kept of a device's directories that are not there, each a block of the disk. Of older ones a device is told nothing. */
const MAX_GONE = 10_000;
const FOLDER = 'retention';
const PATH = parseRelPath(`.isync/${FOLDER}`);

/** What is written down of a directory: that it was sealed, and that it has gone. */
export interface RetirementRecord {
  /** When it was sealed, in ms since 1970. */
  readonly sealedMs: number;
  /** Of the directory that was sealed: another one may have its name by now. */
  readonly inode: number;
  readonly bornMs: number;
  /** Undefined where it was not retired, or has been sealed again since. */
  readonly retired?: { readonly atMs: number; readonly files: number; readonly bytes: number } | undefined;
}

/**
 * A record for each directory that was sealed, in `STORE/.isync/retention/DEVICE/DIRECTORY`: one line of JSON. A file for each, so that
 * a question costs the same however many there are.
 */
export class RetirementRecords {
  readonly #area: StagingArea;
  readonly #folder: string;

  constructor(area: StagingArea) {
    this.#area = area;
    this.#folder = join(area.folder, FOLDER);
  }

  /** Undefined where there is none, or none of ours. */
  read(directory: RelPath): RetirementRecord | undefined {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const fd = unlessAbsentSync(() => openSync(this.#pathOf(directory), flags));
    if (fd === undefined) return undefined;
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile() || stats.size > MAX_BYTES) return undefined;
      const bytes = Buffer.alloc(MAX_BYTES);
      return parseRecord(bytes.toString('utf8', 0, readSync(fd, bytes, 0, MAX_BYTES, 0)));
    } finally {
      closeSync(fd);
    }
  }

  /** Resolves when it is durable. */
  async write(directory: RelPath, record: RetirementRecord): Promise<void> {
    const path = this.#pathOf(directory);
    const bytes = Buffer.from(`${JSON.stringify(record)}\n`);
    const file = { path: PATH, size: bytes.length, mtimeUs: Date.now() * 1000 };
    const staged = await stageFile(this.#area, file, bytes, { mode: MODE, owner: undefined });
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await rename(staged, path);
    } catch (error) {
      await discard(staged);
      throw error;
    }
    for (const folder of [dirname(path), this.#folder, this.#area.folder]) await syncFolder(folder);
  }

  /** Forgets the oldest of a device's records of directories that are not there, where there are too many of them. */
  async forget(device: string, isThere: (name: string) => boolean): Promise<void> {
    const folder = join(this.#folder, device);
    const names = unlessAbsentSync(() => readdirSync(folder)) ?? [];
    if (names.length <= MAX_GONE) return;
    const gone = names
      .filter((name) => !isThere(name))
      .map((name) => ({ name, writtenMs: lstatAt(join(folder, name))?.mtimeMs ?? 0 }))
      .toSorted((a, b) => b.writtenMs - a.writtenMs);
    for (const { name } of gone.slice(MAX_GONE)) await unlessAbsent(() => unlink(join(folder, name)));
  }

  #pathOf(directory: RelPath): string {
    return join(this.#folder, directory);
  }
}

function parseRecord(text: string): RetirementRecord | undefined {
  const { sealedMs, inode, bornMs, retired } = fieldsOf(text);
  if (!isTime(sealedMs) || !isTime(inode) || !isTime(bornMs)) return undefined;
  if (typeof retired !== 'object' || retired === null) return { sealedMs, inode, bornMs };
  const { atMs, files, bytes }: Fields = { ...retired };
  if (!isTime(atMs) || !isTime(files) || !isTime(bytes)) return undefined;
  return { sealedMs, inode, bornMs, retired: { atMs, files, bytes } };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    // A disk that rots: then nothing is known.
    return {};
  }
}

/** Times of files have fractions. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
