import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { basesOf, removeLocalLitter } from '../prune/local-litter.ts';
import type { RunContext } from './run-context.ts';

/** Lists that are kept while a target can't be reached, of which nobody knows what it has: those of the newest versions. */
const KEPT_FOR_OTHERS = 5;

/** Removes from the folder of the job what no later run needs. */
export async function tidy({ request, state, surveyed, log }: RunContext): Promise<void> {
  const { stateDir } = request.job;
  const underWay = state.packs
    .find()
    .flatMap(({ version, base }) => (base === undefined ? [version] : [version, base]));
  const isKnown = request.targets.every(({ name }) => surveyed.has(name));
  const bases = [...surveyed.values()].flatMap(({ standings }) => basesOf(standings));
  const others = isKnown ? [] : (await versionsOf(stateDir)).slice(0, KEPT_FOR_OTHERS);
  await removeLocalLitter({
    stateDir,
    underWay: new Set(underWay),
    bases: new Set([...bases, ...others]),
    isDryRun: false,
    log,
  });
}

/** Of the lists that are here, the newest first. */
async function versionsOf(stateDir: string): Promise<number[]> {
  const names = await readdir(join(stateDir, 'lists')).catch(() => []);
  const versions = new Set(names.map((name) => Number.parseInt(name, 10)).filter(Number.isSafeInteger));
  return [...versions].toSorted((a, b) => b - a);
}
