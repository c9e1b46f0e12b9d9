import { lstatSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PullConfig } from '../../config/schemas/pull.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { LastingWork } from '../lasting-command.ts';
import { openPullParts, type PullParts, stateFile } from './pull-parts.ts';

/**
 * Opens what a pull works with, to look at it alone. A state that is missing is not made: who looks is often root, and the pull
 * itself is somebody else, who could not open it then.
 * @param inUse what to do where a pull that is running has the state: refuse with FENCED, or look without it
 */
export async function openForLook(
  given: LastingWork<PullConfig>,
  inUse: 'refuse' | 'look beside',
): Promise<PullParts> {
  await using opened = new AsyncDisposableStack();
  const scratch = opened.use(await scratchFolder());
  const parts = opened.use(await open(given, join(scratch.path, 'state.db'), inUse));
  const all = opened.move();
  return { ...parts, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function open(
  given: LastingWork<PullConfig>,
  scratch: string,
  inUse: 'refuse' | 'look beside',
): Promise<PullParts> {
  const beside = { isLook: true, state: scratch };
  if (isMissing(stateFile(given.config))) return await openPullParts(given, beside);
  try {
    return await openPullParts(given, { isLook: true });
  } catch (error) {
    if (inUse === 'refuse' || !(error instanceof IsyncError) || error.code !== 'FENCED') throw error;
    return await openPullParts(given, beside);
  }
}

/** Not where we may not look: then opening it says so. */
function isMissing(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}

async function scratchFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'isync-look-'));
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) };
}
