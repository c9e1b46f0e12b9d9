import { removeLocalLitter } from '../prune/local-litter.ts';
import type { RunContext } from './run-context.ts';

/** Lists that are kept for the next run, of each target: where its newest backup turns out damaged, the next one is full anyway. */
const KEPT_LISTS = 2;

/** Removes from the folder of the job what no later run needs. */
export async function tidy({ request, state, surveyed, log }: RunContext): Promise<void> {
  const { stateDir } = request.job;
  const underWay = state.packs.find().flatMap(({ version, base }) => (base === undefined ? [version] : [version, base]));
  const isKnown = request.targets.every(({ name }) => surveyed.has(name));
  const bases = [...surveyed.values()].flatMap(({ standings }) =>
    standings
      .filter(({ fault }) => fault === undefined)
      .slice(0, KEPT_LISTS)
      .map(({ backup }) => backup.manifest.version),
  );
  await removeLocalLitter({
    stateDir,
    underWay: new Set(underWay),
    // Of a target that can't be reached nobody knows.
    bases: isKnown ? new Set(bases) : undefined,
    log,
  });
}
