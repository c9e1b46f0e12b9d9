import { access, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { syncFolder } from '../../model/sync-folder.ts';

/** What a run keeps of a version in the folder of its job, all for its owner alone. */
export interface VersionFiles {
  /** What the next backup is compared with: plain. */
  readonly list: string;
  /** The list as it goes into stores, and the manifest beside it: from the end of the packing until all targets have them. */
  readonly storedList: string;
  readonly manifest: string;
  /** What commands have printed. */
  readonly scratch: string;
}

export function filesOf(stateDir: string, version: number): VersionFiles {
  const lists = join(stateDir, 'lists', String(version));
  return {
    list: `${lists}.files`,
    storedList: `${lists}.stored`,
    manifest: `${lists}.manifest`,
    scratch: join(stateDir, 'scratch', String(version)),
  };
}

/** @throws IsyncError STORE_FULL, STORE_FAILED, as all here do */
export async function makeLists(stateDir: string): Promise<void> {
  const path = join(stateDir, 'lists');
  await guarded(path, async () => await mkdir(path, { recursive: true, mode: 0o700 }));
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

/** Undefined where it is missing. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  return await guarded(path, async () => {
    try {
      return await readFile(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  });
}

/** Writes a file as a whole: durable when it resolves, and never half there. */
export async function writeDurably(path: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  await guarded(path, async () => {
    const draft = `${path}.draft`;
    await rm(draft, { force: true });
    const file = await open(draft, 'wx', 0o600);
    try {
      for await (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    await syncFolder(join(path, '..'));
  });
}

/** What an archive needs no more once it has come to its end. */
export async function removeDrafts({ storedList, manifest, scratch }: VersionFiles): Promise<void> {
  for (const path of [storedList, manifest, scratch])
    await guarded(path, async () => await rm(path, { recursive: true, force: true }));
}

async function guarded<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof IsyncError) throw error;
    const errno = errnoOf(error);
    const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'STORE_FULL' : 'STORE_FAILED';
    throw new IsyncError(code, `a file of the job's state can't be used (${errno ?? String(error)})`, {
      path,
      cause: error,
    });
  }
}
