import { rm } from 'node:fs/promises';
import type { Abortable } from '../../model/abortable.ts';
import type { Log } from '../../model/log.ts';
import type { JobState } from '../state/job-state.ts';
import type { BackupTarget } from '../target/target.ts';
import { spoolFolder } from './spool.ts';

export interface DropOptions extends Abortable {
  readonly version: number;
  /** Of the job, those that can be reached. */
  readonly targets: readonly BackupTarget[];
  readonly state: JobState;
  readonly stateDir: string;
  readonly log: Log;
}

/**
 * Forgets an archive: one that is complete wherever it can be, or that nobody goes on with. Uploads of it are aborted, with one try
 * each: what is left of them is pruned later. No ArchiveUpload of it is open.
 * @throws IsyncError of the state
 */
export async function dropArchive({
  version,
  targets,
  state,
  stateDir,
  log,
  signal,
}: DropOptions): Promise<void> {
  for (const target of targets) {
    signal?.throwIfAborted();
    const upload = state.targets.upload(target.name, version);
    if (upload === undefined || upload.id === '' || upload.outcome === 'complete') continue;
    await target.abort(upload, { signal }).catch((err: unknown) => {
      log.warn('an upload is not aborted', { target: target.name, key: upload.key, err });
    });
  }
  signal?.throwIfAborted();
  await rm(spoolFolder(stateDir, version), { recursive: true, force: true }).catch((err: unknown) => {
    log.warn('the spool of a job is not cleared', { err });
  });
  state.packs.end(version);
}
