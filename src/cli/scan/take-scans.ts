import type { ScansConfig } from '../../config/read-scans.ts';
import { SCANS } from '../../config/names.ts';
import type { Changes } from '../reload.ts';
import type { OneScan } from './one-scan.ts';

/** Takes what has changed in the settings of the scans that run; whether one has come or gone is known by its root. */
export function takeScans(running: readonly OneScan[], isList: boolean, { scans }: ScansConfig): Changes {
  if (isList !== scans.isList) return { taken: [], lasting: [SCANS] };
  const [only] = running;
  if (!isList && only !== undefined) return only.take(scans.all[0]);
  const taken: string[] = [];
  const lasting: string[] = [];
  for (const scan of running) {
    const { root } = scan.config;
    const next = scans.all.find(({ config }) => config.root === root);
    if (next === undefined) {
      lasting.push(`${root}: ${SCANS}`);
      continue;
    }
    const changes = scan.take(next);
    taken.push(...changes.taken.map((name) => `${root}: ${name}`));
    lasting.push(...changes.lasting.map((name) => `${root}: ${name}`));
  }
  for (const { config } of scans.all)
    if (!running.some((scan) => scan.config.root === config.root)) lasting.push(`${config.root}: ${SCANS}`);
  return { taken, lasting };
}
