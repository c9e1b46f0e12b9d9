import { createReadStream } from 'node:fs';
import type { Log } from '../../model/log.ts';
import type { BackupJob } from '../job.ts';
import { readRecords } from '../list/read-records.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { BaseRecords } from '../pack/base-records.ts';
import { ownPlaces } from '../pack/own-places.ts';
import { isSameByTimes } from '../pack/record-of.ts';
import { readySources, walkSources } from '../pack/sources.ts';
import { filesOf } from './local-files.ts';

/** What a backup would have, without reading files. */
export interface Estimate {
  readonly files: number;
  readonly bytes: number;
  /** At most: those whose times differ may turn out to be the same. */
  readonly storedFiles: number;
  readonly storedBytes: number;
  /** Commands that were not run: what they print comes beside. */
  readonly commands: number;
}

export interface EstimateRequest {
  readonly job: BackupJob;
  readonly base: Manifest | undefined;
  readonly isRehash: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** @throws IsyncError SOURCE_FAILED as packing would, but for commands */
export async function estimate({ job, base, isRehash, log, signal }: EstimateRequest): Promise<Estimate> {
  const folders = job.sources.filter(({ kind }) => kind === 'folder');
  const sources = await readySources({ job: { ...job, sources: folders }, scratchFolder: '', log, signal });
  const records =
    base && readRecords(createReadStream(filesOf(job.stateDir, base.version).list), base.list.records);
  await using before = new BaseRecords(records, (base?.version ?? 0) + 1);
  const counts = { files: 0, bytes: 0, storedFiles: 0, storedBytes: 0 };
  for await (const step of walkSources(sources, { isOwn: ownPlaces(job), signal })) {
    if (step.kind !== 'member' || !step.stats.isFile()) continue;
    const size = Number(step.stats.size);
    counts.files++;
    counts.bytes += size;
    const earlier = await before.find(step.path);
    const isSame =
      !isRehash &&
      earlier?.type === 'file' &&
      isSameByTimes(earlier, step.stats) &&
      earlier.seen?.ctimeNs === step.stats.ctimeNs;
    if (isSame) continue;
    counts.storedFiles++;
    counts.storedBytes += size;
  }
  return { ...counts, commands: job.sources.length - folders.length };
}
