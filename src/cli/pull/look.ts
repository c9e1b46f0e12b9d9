import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PullConfig } from '../../config/schemas/pull.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { LastingWork } from '../lasting-command.ts';
import { openPullParts, type PullParts } from './pull-parts.ts';
import { stateFile } from './state-files.ts';

export interface LookOptions {
  /** Whether to look without the state where a pull that is running has it. Default false: FENCED. */
  readonly beside?: boolean;
}

/** Opens what a pull works with, to look at it: nothing is made, and where there is no state yet, an empty one stands for it. */
export async function openLook(
  given: LastingWork<PullConfig>,
  { beside = false }: LookOptions = {},
): Promise<PullParts> {
  await using opened = new AsyncDisposableStack();
  const empty = async (): Promise<PullParts> => {
    const path = await mkdtemp(join(tmpdir(), 'isync-look-'));
    opened.defer(async () => await rm(path, { recursive: true, force: true }));
    return await openPullParts(given, { isLook: true, state: join(path, 'state.db') });
  };
  const kept = async (): Promise<PullParts> => {
    try {
      return await openPullParts(given, { isLook: true });
    } catch (error) {
      if (!beside || !(error instanceof IsyncError) || error.code !== 'FENCED') throw error;
      return await empty();
    }
  };
  const parts = opened.use(existsSync(stateFile(given.config)) ? await kept() : await empty());
  const all = opened.move();
  return { ...parts, [Symbol.asyncDispose]: () => all[Symbol.asyncDispose]() };
}
