import { constants, type Stats } from 'node:fs';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rmdir,
  stat,
  unlink,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { syncFolder } from '../../model/sync-folder.ts';
import { writeError } from './write-error.ts';

/** In the folder that is restored to until it is complete; no member may be called so. */
export const MARKER_NAME = '.isync-restore';
/** Beside the folder that it is to replace. */
const STAGED_ENDING = '.isync-restore';
/** What a new file system has, and is empty all the same. */
const LOST_AND_FOUND = 'lost+found';
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** What is restored, so that a restore never goes on with another one. */
const marker = z.object({
  format: z.literal(1),
  name: z.string(),
  list: z.string(),
  globs: z.array(z.string()),
});
export type RestoreMarker = z.infer<typeof marker>;

export interface DestinationOptions {
  /** Absolute. */
  readonly to: string;
  readonly isReplace: boolean;
  readonly isResume: boolean;
  readonly marker: RestoreMarker;
}

export interface Destination {
  /** Real path of the folder to write into. It has the marker. */
  readonly folder: string;
  /** An earlier restore of the same has left something there. */
  readonly isResumed: boolean;
  /** Everything is there and durable: takes the marker away, and its place in. Resolves to where the folder that was there is now. */
  finish(): Promise<string | undefined>;
  /** Nothing was restored. */
  discard(): Promise<void>;
}

/**
 * Finds or makes the folder to restore into.
 * @throws IsyncError PATH_CONFLICT where it is not empty, or holds another restore; STORE_MISSING where the folder above is missing
 */
export async function openDestination(options: DestinationOptions): Promise<Destination> {
  try {
    return await openIt(options);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT')
      throw new IsyncError('STORE_MISSING', 'the folder above is not there', {
        path: options.to,
        cause: error,
      });
    throw writeError(error, options.to);
  }
}

async function openIt({ to, isReplace, isResume, marker: mine }: DestinationOptions): Promise<Destination> {
  const there = await lookAt(to);
  if (there !== undefined && !there.isDirectory())
    throw new IsyncError('PATH_CONFLICT', 'this is not a folder', { path: to });
  const place = there === undefined ? join(await realpath(dirname(to)), basename(to)) : await realpath(to);
  // Swapped already, and killed before it could tell so.
  const isSwapped = isReplace && isResume && there !== undefined && (await isMarkedAs(place, mine));
  if (!isReplace || isSwapped) return await into(place, isResume, mine);
  if (there !== undefined && there.dev !== (await stat(dirname(place))).dev)
    throw new IsyncError('PATH_CONFLICT', "a disk is mounted here, which can't be replaced", {
      path: to,
      hint: 'Restore into an empty folder of the disk.',
    });
  const staged = `${place}${STAGED_ENDING}`;
  const destination = await into(staged, isResume, mine);
  return { ...destination, finish: async () => await swap(staged, place) };
}

async function into(folder: string, isResume: boolean, mine: RestoreMarker): Promise<Destination> {
  let isMade = true;
  await mkdir(folder, 0o700).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
    isMade = false;
  });
  const names = isMade ? [] : (await readdir(folder)).filter((name) => name !== LOST_AND_FOUND);
  const isResumed = names.includes(MARKER_NAME) && (await isMarkedAs(folder, mine));
  if (names.includes(MARKER_NAME) && !(isResumed && isResume))
    throw new IsyncError('PATH_CONFLICT', 'a restore has begun here, and is not complete', {
      path: folder,
      hint: isResumed
        ? '--resume goes on with it; or remove the folder.'
        : 'It is of another backup, or of other files: remove the folder, or choose another one.',
    });
  if (!isResumed && names.length > 0)
    throw new IsyncError('PATH_CONFLICT', 'the folder is not empty', {
      path: folder,
      hint: 'Choose an empty one; --replace restores beside it and takes its place, and keeps the old one.',
    });
  if (!isResumed) await writeMarker(folder, mine);
  return {
    folder,
    isResumed,
    finish: async () => {
      await complete(folder);
      return undefined;
    },
    discard: async () => {
      await unlink(join(folder, MARKER_NAME));
      if (isMade) await rmdir(folder);
    },
  };
}

/** The name of the backup that an earlier restore to this place has begun with, and not completed; undefined where there is none. */
export async function begunIn({
  to,
  isReplace,
}: Pick<DestinationOptions, 'to' | 'isReplace'>): Promise<string | undefined> {
  const place = await realpath(to).catch(() => to);
  for (const folder of isReplace ? [`${place}${STAGED_ENDING}`, place] : [place]) {
    const begun = await readMarker(folder);
    if (begun !== undefined) return begun.name;
  }
  return undefined;
}

/** Puts a restored folder in the place of another one, which keeps its content under another name. */
async function swap(staged: string, place: string): Promise<string | undefined> {
  const above = dirname(place);
  await syncFolder(staged);
  const old = await lookAt(place);
  const keptAs = old === undefined ? undefined : await freeName(`${place}.isync-old`);
  if (old !== undefined && keptAs !== undefined) {
    await takeOver(staged, old);
    await rename(place, keptAs);
    await syncFolder(above);
  }
  await rename(staged, place);
  await complete(place);
  await syncFolder(above);
  return keptAs;
}

async function complete(folder: string): Promise<void> {
  await unlink(join(folder, MARKER_NAME));
  await syncFolder(folder);
}

/** Who could enter the old one, can enter the new one. */
async function takeOver(staged: string, { uid, gid, mode }: Stats): Promise<void> {
  if (process.geteuid?.() === 0) await chown(staged, uid, gid);
  await chmod(staged, mode & 0o7777);
}

async function freeName(wanted: string): Promise<string> {
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    if ((await lookAt(name, false)) === undefined) return name;
  }
}

async function lookAt(path: string, isFollowed = true): Promise<Stats | undefined> {
  try {
    return isFollowed ? await stat(path) : await lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function isMarkedAs(folder: string, mine: RestoreMarker): Promise<boolean> {
  return isDeepStrictEqual(await readMarker(folder), mine);
}

/** Undefined where there is none that can be read. */
async function readMarker(folder: string): Promise<RestoreMarker | undefined> {
  try {
    return marker.parse(JSON.parse(await readFile(join(folder, MARKER_NAME), 'utf8')));
  } catch {
    return undefined;
  }
}

async function writeMarker(folder: string, mine: RestoreMarker): Promise<void> {
  const file = await open(join(folder, MARKER_NAME), NEW_FILE, 0o600);
  try {
    await file.writeFile(`${JSON.stringify(mine)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(folder);
}
