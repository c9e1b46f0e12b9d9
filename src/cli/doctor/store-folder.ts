import { access, constants, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { IsyncError } from '../../model/isync-error.ts';
import { OWN_FOLDER } from '../../model/own-folder.ts';
import { formatBytes } from '../../observe/units.ts';
import { existingFolder } from '../../store/file/existing-folder.ts';
import { FreeSpace } from '../../store/file/free-space.ts';
import { storeError, unlessAbsent } from '../../store/file/system-errors.ts';
import { type Check, failure, ok, warning } from './check.ts';

/** Of the whole: with less, a disk is as good as full, and slow. */
const LEAST_FREE = 0.05;
const READ_STORE_HINT = 'The user isync runs as must be allowed to read everywhere below the store.';

/** Looks at a folder that files are kept in: writes nothing. */
export async function* folderChecks(path: string, minFreeBytes = 0): AsyncGenerator<Check> {
  const name = 'store';
  try {
    const folder = await existingFolder(path);
    await mayWrite(folder);
    // A first start as root leaves a folder that an ordinary user can't use.
    await unlessAbsent(async () => await mayWrite(join(folder, OWN_FOLDER)));
    await unlessAbsent(async () => await mayWrite(join(folder, OWN_FOLDER, 'staging')));
    yield ok(name, `${path} can be written to`);
  } catch (error) {
    yield failure(name, storeError(error, path));
    return;
  }
  yield await checkRoom(path, minFreeBytes, 'files wait on the devices');
}

/** Looks at a folder that files are only compared with. */
export async function* readableChecks(path: string): AsyncGenerator<Check> {
  const name = 'store';
  try {
    const folder = await existingFolder(path);
    await access(folder, constants.R_OK | constants.X_OK).catch((cause: unknown) => {
      throw new IsyncError('STORE_FAILED', 'not permitted to read the store', {
        path,
        hint: READ_STORE_HINT,
        cause,
      });
    });
    yield ok(name, `${path} can be read`);
  } catch (error) {
    yield failure(name, error);
  }
}

async function mayWrite(path: string): Promise<void> {
  await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
}

/** @param whenFull goes on from "when it is full, " */
export async function checkRoom(path: string, minFreeBytes: number, whenFull: string): Promise<Check> {
  const name = 'free space';
  try {
    const { bavail, bsize, blocks, ffree, files } = await statfs(path);
    const freeBytes = bavail * bsize;
    new FreeSpace(path, minFreeBytes).check(0, path);
    if (bavail === 0 || (files > 0 && ffree === 0)) throw storeError(noSpace(), path);
    const text = `${formatBytes(freeBytes)} of ${formatBytes(blocks * bsize)} are free`;
    return freeBytes < blocks * bsize * LEAST_FREE
      ? warning(name, text, `Make room soon: when it is full, ${whenFull}.`)
      : ok(name, text);
  } catch (error) {
    return failure(name, storeError(error, path));
  }
}

function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', syscall: 'write' });
}

/** Returns how much a receiver says that it can still take. */
export function checkRoomAt(freeBytes: number | undefined): Check {
  const name = 'free space';
  if (freeBytes === undefined) return ok(name, 'the receiver does not tell');
  if (freeBytes > 0) return ok(name, `${formatBytes(freeBytes)} are free at the receiver`);
  return failure(name, new IsyncError('STORE_FULL', 'the store is full'));
}
