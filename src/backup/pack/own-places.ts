import { type BigIntStats, statSync } from 'node:fs';
import type { BackupJob } from '../job.ts';

/**
 * Tells what is isync's own: the state of the job, and targets that are folders, wherever a symlink or a mount shows them. A backup of backups
 * would double with each run. What isn't there yet, is nowhere.
 */
export function ownPlaces({
  stateDir,
  to,
}: Pick<BackupJob, 'stateDir' | 'to'>): (stats: BigIntStats) => boolean {
  const targets = to.flatMap((each) => (each.kind === 'folder' ? [each.path] : []));
  const own = new Set<string>();
  for (const path of [stateDir, ...targets]) {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (stats !== undefined) own.add(identity(stats));
  }
  return (stats) => stats.isDirectory() && own.has(identity(stats));
}

function identity({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}
