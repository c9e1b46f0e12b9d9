import { basesOf, removeLocalLitter } from '../prune/local-litter.ts';
import type { RunContext } from './run-context.ts';

/** Removes from the folder of the job what no later run needs. */
export async function tidy({ request, state, surveyed, log }: RunContext): Promise<void> {
  const { stateDir } = request.job;
  const underWay = state.packs.find().flatMap(({ version, base }) => (base === undefined ? [version] : [version, base]));
  const isKnown = request.targets.every(({ name }) => surveyed.has(name));
  const bases = [...surveyed.values()].flatMap(({ standings }) => basesOf(standings));
  await removeLocalLitter({
    stateDir,
    underWay: new Set(underWay),
    // Of a target that can't be reached nobody knows.
    bases: isKnown ? new Set(bases) : undefined,
    log,
  });
}
