import { lstat, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../model/isync-error.ts';
import { isPartName, ownerOf } from './parts.ts';
import { livenessOf } from './process-identity.ts';
import type { StagingArea } from './staging-area.ts';
import { unlessAbsent } from './system-errors.ts';

/** Unfinished uploads kept for each first-level folder: a sender has at most 16 open when its link breaks. */
const MAX_PARTS = 64;

export interface LeftoverLimits {
  /** Age in ms at which an upload that nobody has resumed is thrown away. */
  readonly staleMs: number;
  /** Bytes of uploads kept for each first-level folder. */
  readonly mostBytes: number;
}

/**
 * Tidies the staging area: removes uploads that nobody has resumed for `staleMs`, dissolves the folders of dead processes,
 * and thins the uploads of each owner. It leaves folders of living processes alone. From a folder whose process may live
 * (another host, container or boot) it removes only what has not been touched for `staleMs`.
 */
export async function collectLeftovers(area: StagingArea, limits: LeftoverLimits): Promise<void> {
  const before = Date.now() - limits.staleMs;
  for (const name of await namesIn(area.parts)) {
    const path = join(area.parts, name);
    // By mtime, the last write or release: claiming and moving does not make it younger.
    const found = await unlessAbsent(() => lstat(path));
    if (found !== undefined && found.mtimeMs < before) await unlessAbsent(() => unlink(path));
  }
  for (const owner of await namesIn(area.all)) {
    const folder = join(area.all, owner);
    if (owner === area.ownName || folder === area.parts) continue;
    const liveness = livenessOf(owner);
    if (liveness === 'dead') await dissolve(area, folder);
    if (liveness === 'unknown') await removeUntouched(folder, before);
  }
  const owners = new Set((await namesIn(area.parts)).filter(isPartName).map(ownerOf));
  for (const owner of owners) await thinParts(area, owner, limits);
}

/** Thins parts (see thinParts) in the background: an owner's once, however many it has left meanwhile. */
export class PartThinner {
  readonly #area: StagingArea;
  readonly #limits: LeftoverLimits;
  readonly #owners = new Set<string>();
  #running: Promise<void> | undefined;

  constructor(area: StagingArea, limits: LeftoverLimits) {
    this.#area = area;
    this.#limits = limits;
  }

  /** Notes that a part of `owner` has been left. */
  left(owner: string): void {
    this.#owners.add(owner);
    this.#running ??= this.#run();
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    for (const owner of this.#owners) {
      this.#owners.delete(owner);
      try {
        await thinParts(this.#area, owner, this.#limits);
      } catch {
        // As with all that is collected: the next round tries again, and a store that fails says so elsewhere.
      }
    }
    this.#running = undefined;
  }
}

/** Removes the oldest parts of `owner` (see partOwner) until the rest is within the limits. */
async function thinParts(
  area: StagingArea,
  owner: string,
  { mostBytes }: Pick<LeftoverLimits, 'mostBytes'>,
): Promise<void> {
  const parts: { readonly path: string; readonly size: number; readonly mtimeMs: number }[] = [];
  for (const name of (await namesIn(area.parts)).filter(
    (name) => isPartName(name) && ownerOf(name) === owner,
  )) {
    const path = join(area.parts, name);
    const found = await unlessAbsent(() => lstat(path));
    if (found !== undefined) parts.push({ path, size: found.size, mtimeMs: found.mtimeMs });
  }
  let bytes = 0;
  for (const [index, { path, size }] of parts.toSorted((a, b) => b.mtimeMs - a.mtimeMs).entries()) {
    bytes += size;
    if (index >= MAX_PARTS || bytes > mostBytes) await unlessAbsent(() => unlink(path));
  }
}

async function dissolve(area: StagingArea, folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    if (isPartName(name)) await unlessAbsent(() => rename(path, join(area.parts, name)));
    else await unlessAbsent(() => unlink(path));
  }
  await removeEmpty(folder);
}

async function removeUntouched(folder: string, before: number): Promise<void> {
  for (const path of [...(await namesIn(folder)).map((name) => join(folder, name)), folder]) {
    // By ctime: staged files carry the mtime they are published with.
    const found = await unlessAbsent(() => lstat(path));
    if (found === undefined || found.ctimeMs >= before) continue;
    if (path === folder) await removeEmpty(folder);
    else await unlessAbsent(() => unlink(path));
  }
}

async function removeEmpty(folder: string): Promise<void> {
  try {
    await unlessAbsent(() => rmdir(folder));
  } catch (error) {
    // Still in use.
    if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST') throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await unlessAbsent(() => readdir(folder))) ?? [];
}
