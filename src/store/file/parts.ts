import { createHash } from 'node:crypto';
import { constants, lstatSync } from 'node:fs';
import { copyFile, type FileHandle, open, readdir, rename, rm, unlink, utimes } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { FileEntry } from '../../model/file-entry.ts';
import { errnoOf } from '../../model/isync-error.ts';
import { firstSegment } from '../../model/rel-path.ts';
import { versionKey } from '../version-key.ts';
import type { LocalBeginOptions } from './local-store.ts';
import { livenessOf } from './process-identity.ts';
import { discard } from './stage-file.ts';
import type { StagingArea } from './staging-area.ts';
import { unlessAbsent } from './system-errors.ts';

/**
 * The name of an unfinished upload in the staging area, of constant length. It begins with a hash of its owner, which is
 * the first-level folder that the file goes to.
 */
const PART_NAME = /^[0-9a-f]{64}$/;
const OWNER_DIGITS = 16;
const NEW_PART_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;

/** Begins the names of all parts that go to the same first-level folder as `file`. */
export function partOwner(file: FileEntry): string {
  return sha256(firstSegment(file.path)).slice(0, OWNER_DIGITS);
}

export function ownerOf(partName: string): string {
  return partName.slice(0, OWNER_DIGITS);
}

function partName(file: FileEntry, version: string | undefined): string {
  // No path has a NUL.
  const key = version === undefined ? versionKey(file) : `${versionKey(file)}\0${version}`;
  return partOwner(file) + sha256(key).slice(OWNER_DIGITS);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function isPartName(name: string): boolean {
  return PART_NAME.test(name);
}

/** An unfinished upload that no other process has. */
export interface Part {
  readonly path: string;
  readonly handle: FileHandle;
  /** Bytes in it; durable. */
  readonly size: number;
}

/** Takes the part of an earlier upload of `file`, or a new one, for this process alone. */
export async function claimPart(
  area: StagingArea,
  file: FileEntry,
  { resume, version }: Pick<LocalBeginOptions, 'resume' | 'version'>,
): Promise<Part> {
  const name = partName(file, version);
  if (resume) return await takePart(area, file, name);
  // Sending it costs less than a look for parts of other processes; those are collected.
  const left = join(area.parts, name);
  if (lstatSync(left, { throwIfNoEntry: false }) !== undefined) await unlessAbsent(() => unlink(left));
  return await newPart(area, join(area.own, name));
}

async function takePart(area: StagingArea, file: FileEntry, name: string): Promise<Part> {
  area.make();
  const path = join(area.own, name);
  await takeOver(area, name);
  const handle = await openPart(path);
  try {
    const { size, nlink } = await handle.stat();
    if (size <= file.size && nlink === 1) {
      if (size > 0) await handle.datasync();
      return { path, handle, size };
    }
  } catch (error) {
    // A sync that failed is told once: the next one succeeds, whatever the disk holds.
    await discard(path);
    await handle.close();
    throw error;
  }
  // A part longer than the file is not of it. A part with a second link (left when a process died while publishing into an
  // immutable store) is the published file itself, and must never be written to: remove the name, not the bytes.
  await handle.close();
  await rm(path);
  return { path, handle: await openPart(path), size: 0 };
}

/** An empty part. An upload that could not release its part may have left one under this name. */
async function newPart(area: StagingArea, path: string): Promise<Part> {
  try {
    return { path, handle: await open(path, NEW_PART_FLAGS, 0o600), size: 0 };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') area.make();
    else if (errnoOf(error) === 'EEXIST') await rm(path, { force: true });
    else throw error;
    return { path, handle: await open(path, NEW_PART_FLAGS, 0o600), size: 0 };
  }
}

/** Lets another upload, also of another process, resume with the part. Its age counts from now. */
export async function releasePart(area: StagingArea, path: string): Promise<void> {
  const now = new Date();
  // Absent when it was published but its folder would not sync.
  await unlessAbsent(() => utimes(path, now, now));
  await unlessAbsent(() => rename(path, join(area.parts, basename(path))));
}

async function openPart(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
}

/** Moves the part `name` into this process's folder, if there is one that nobody has open. */
async function takeOver(area: StagingArea, name: string): Promise<void> {
  if (await renamed(join(area.parts, name), join(area.own, name))) return;
  for (const owner of await readdir(area.all)) {
    if (owner === area.ownName || join(area.all, owner) === area.parts) continue;
    const theirs = join(area.all, owner, name);
    const liveness = livenessOf(owner);
    if (liveness === 'dead' && (await renamed(theirs, join(area.own, name)))) return;
    if (liveness === 'unknown' && (await copied(theirs, join(area.own, name)))) return;
  }
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}

/**
 * Copies the part of a process that may live and may still write to it. Were the bytes shared, it could write into a file
 * that we have published. The part loses its name, so that the other commit fails and is tried again.
 */
async function copied(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    // Most likely there is no room for both, so there never would be: begin from nothing.
    await rm(to, { force: true });
  }
  await rm(from, { force: true });
  return true;
}
