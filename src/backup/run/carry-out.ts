import { toIsyncError, type ErrorCode } from '../../model/isync-error.ts';
import { beginAnew, beginArchive, type NewArchive } from './begin-archive.ts';
import { filesOf, removeDrafts } from './local-files.ts';
import { endArchive, makeArchive } from './make-archive.ts';
import type { PlannedBackup } from './plan-backups.ts';
import { type ArchiveWork, fail, type RunContext, takeVersion } from './run-context.ts';

/** How often an archive is begun anew that has turned out another one: each time its sources have changed since it was interrupted. */
const TRIES = 3;
/** What lies at the sources or the base: the same archive would fail again, and another run begins a new one. */
const HOPELESS: ReadonlySet<ErrorCode> = new Set([
  'SOURCE_FAILED',
  'FILE_TOO_LARGE',
  'BACKUP_DAMAGED',
  'CONFIG_INVALID',
]);

/** Makes a backup that was planned, at each of its targets that takes it. Rejects where its sources fail, and with the reason of the signal. */
export async function carryOut(context: RunContext, planned: PlannedBackup, version: number): Promise<void> {
  const wanted: NewArchive = { ...planned, version };
  let work: ArchiveWork;
  try {
    work = await beginArchive(context, wanted);
  } catch (error) {
    context.signal.throwIfAborted();
    await removeDrafts(filesOf(context.request.job.stateDir, version));
    throw error;
  }
  await goOn(context, work);
}

/** Goes on with an archive until it is complete, or has failed: for its targets, or, where its sources are at fault, for the run. */
export async function goOn(context: RunContext, begun: ArchiveWork): Promise<void> {
  const { signal, log } = context;
  let work = begun;
  for (let tries = 1; ; tries++) {
    try {
      await makeArchive(context, work);
      return;
    } catch (cause) {
      signal.throwIfAborted();
      const error = toIsyncError(cause, 'INTERNAL');
      const isOther = error.code === 'FILE_CHANGED' && error.path === work.pack.name;
      if (isOther && tries < TRIES) {
        log.info('the archive has changed since it was interrupted, and begins anew', {
          backup: work.pack.name,
        });
        work = await replaced(context, work);
      } else if (error.code === 'BACKUP_DAMAGED' && work.base !== undefined) {
        log.warn('the list of the base can not be used: a full backup is made', { err: error });
        work = await insteadOf(context, work, {
          type: 'full',
          base: undefined,
          reason: 'its base is damaged',
        });
      } else {
        if (isOther || HOPELESS.has(error.code)) await endArchive(context, work.pack.version);
        if (HOPELESS.has(error.code)) throw error;
        for (const target of work.targets) fail(context, target, error);
        return;
      }
    }
  }
}

/** Where some target has the archive of before, the new one is a version of its own: none is ever given twice. */
async function replaced(context: RunContext, work: ArchiveWork): Promise<ArchiveWork> {
  const { state } = context;
  const { pack } = work;
  const isMade = pack.targets.some(
    (name) => state.targets.upload(name, pack.version)?.outcome === 'complete',
  );
  if (isMade)
    return await insteadOf(context, work, { type: pack.type, base: work.base, reason: work.reason });
  await endArchive(context, pack.version);
  return await beginAnew(context, work);
}

async function insteadOf(
  context: RunContext,
  { pack, targets }: ArchiveWork,
  wanted: Pick<NewArchive, 'type' | 'base' | 'reason'>,
): Promise<ArchiveWork> {
  await endArchive(context, pack.version);
  return await beginArchive(context, { ...wanted, targets, version: takeVersion(context) });
}
