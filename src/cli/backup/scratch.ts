import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupJob } from '../../backup/job.ts';
import { ensureFolder } from '../../sqlite/state-folder.ts';

export interface Scratch extends AsyncDisposable {
  readonly folder: string;
}

/** A folder of this command alone, in that of the job. @throws IsyncError STORE_MISSING, STORE_FULL, STORE_FAILED */
export async function openScratch({ stateDir }: Pick<BackupJob, 'stateDir'>): Promise<Scratch> {
  await ensureFolder(stateDir);
  const folder = await mkdtemp(join(stateDir, 'command-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
