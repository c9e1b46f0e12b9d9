import type { Manifest } from '../manifest/manifest.ts';
import type { BackupType } from '../job.ts';
import { backupName } from '../names/backup-name.ts';
import { measureSources } from '../pack/sources.ts';
import type { PackRecord } from '../state/job-state.ts';
import { largestArchive, partBytesFor } from '../upload/part-bytes.ts';
import { filesOf } from './local-files.ts';
import { type ArchiveWork, type RunContext, usable } from './run-context.ts';

export interface NewArchive {
  readonly version: number;
  readonly type: BackupType;
  readonly base: Manifest | undefined;
  readonly reason: string;
  readonly targets: readonly string[];
}

/**
 * Looks at the sources, runs the commands among them, and writes down what is going to be uploaded.
 * @throws IsyncError SOURCE_FAILED, FILE_TOO_LARGE, and of the state
 */
export async function beginArchive(context: RunContext, wanted: NewArchive): Promise<ArchiveWork> {
  const { request, state, keeper, encryption, log, signal, now } = context;
  const { job } = request;
  const { version, type, base, reason } = wanted;
  const isEncrypted = encryption !== undefined;
  const startedMs = now();
  const scratchFolder = filesOf(job.stateDir, version).scratch;
  const measured = await measureSources({ job, scratchFolder, log, signal });
  const targets = usable(context, wanted.targets).map(({ target }) => target);
  const partBytes = partBytesFor(largestArchive(measured, job.compress, isEncrypted), {
    least: Math.max(...targets.map(({ capabilities }) => capabilities.leastPartBytes)),
    most: Math.min(...targets.map(({ capabilities }) => capabilities.mostPartBytes)),
  });
  const pack: PackRecord = {
    run: keeper.record.id,
    version,
    name: backupName(job.nameTemplate, {
      system: job.name,
      type,
      startedMs,
      timezone: job.timezone,
      version,
      compress: job.compress,
      isEncrypted,
    }),
    type,
    base: base?.version,
    startedMs,
    partBytes,
    secrets: await encryption?.begin(),
    packed: undefined,
    isOverflowed: false,
    targets: targets.map(({ name }) => name),
  };
  state.packs.begin(pack);
  return { pack, base, reason, targets: pack.targets };
}

/** The same archive once more, with new secrets: what has left of it must not meet other bytes under the old ones. */
export async function beginAnew({ state, encryption }: RunContext, work: ArchiveWork): Promise<ArchiveWork> {
  const pack = {
    ...work.pack,
    secrets: await encryption?.begin(),
    packed: undefined,
    isOverflowed: false,
    targets: work.targets,
  };
  state.packs.begin(pack);
  return { ...work, pack };
}
