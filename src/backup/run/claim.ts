import { hostname } from 'node:os';
import { IsyncError } from '../../model/isync-error.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { decodeJobObject, encodeJobObject, MAX_MANIFEST_BYTES } from '../manifest/manifest-codec.ts';
import { type JobObject, MANIFEST_FORMAT } from '../manifest/manifest.ts';
import { JOB_KEY } from '../names/backup-name.ts';
import type { JobState } from '../state/job-state.ts';
import type { BackupTarget } from '../target/target.ts';
import { attempting, type AttemptOptions } from '../upload/attempts.ts';

export interface ClaimRequest {
  readonly target: BackupTarget;
  /** Name of the job. */
  readonly job: string;
  readonly state: Pick<JobState, 'jobId' | 'targets'>;
  readonly catalogue: Catalogue;
  /** Whether what another machine has made is taken over. */
  readonly isAdopting: boolean;
  /** Looks, and writes nothing. */
  readonly isDryRun: boolean;
  readonly nowMs: number;
  readonly attempts: AttemptOptions;
}

/**
 * Makes sure that the job of a store is the one of this state. `adopted`: it was another machine's until now, which is refused from now on.
 * @throws IsyncError FENCED where it is another machine's, and is not to be taken over
 */
export async function claimJob(request: ClaimRequest): Promise<'ours' | 'adopted'> {
  const { catalogue, state, isAdopting, isDryRun } = request;
  const isThere = catalogue.objects.has(JOB_KEY);
  const found = isThere ? await readJobObject(request).catch(unlessAdopting(request)) : undefined;
  if (found !== undefined && found !== 'damaged' && found.jobId === state.jobId) return 'ours';
  const other = found === 'damaged' ? {} : (found ?? otherMaker(request));
  if (other !== undefined && !isAdopting) throw refusal(request, other);
  if (isDryRun) return other === undefined ? 'ours' : 'adopted';
  await writeJobObject(request, isThere);
  return other === undefined ? 'ours' : 'adopted';
}

/** Whose a job is whose object is damaged, only a person can tell. */
function unlessAdopting({ isAdopting }: ClaimRequest): (error: unknown) => 'damaged' {
  return (error) => {
    if (isAdopting && error instanceof IsyncError && error.code === 'BACKUP_DAMAGED') return 'damaged';
    throw error;
  };
}

/** Where the object is gone, the newest manifest tells whose the backups are. */
function otherMaker({ catalogue, state }: ClaimRequest): Pick<JobObject, 'jobId'> | undefined {
  const [newest] = catalogue.backups;
  return newest !== undefined && newest.manifest.jobId !== state.jobId ? newest.manifest : undefined;
}

/** Undefined where it is missing. @throws IsyncError BACKUP_DAMAGED, VERSION_UNSUPPORTED */
export async function readJobObject({
  target,
  state,
  catalogue,
  attempts,
}: Pick<ClaimRequest, 'target' | 'state' | 'catalogue' | 'attempts'>): Promise<JobObject | undefined> {
  const { signal } = attempts;
  const etag = catalogue.objects.get(JOB_KEY)?.etag ?? '';
  const cached = state.targets.cached(target.name, JOB_KEY, etag);
  if (cached !== undefined) return decodeJobObject(cached, JOB_KEY);
  const bytes = await attempting(
    `read ${JOB_KEY}`,
    async () => {
      const ranges = await target.read(JOB_KEY, { signal });
      if (ranges === undefined) return undefined;
      const pieces: Uint8Array[] = [];
      const length = Math.min(ranges.size, MAX_MANIFEST_BYTES + 1);
      for await (const piece of ranges.read(0, length, { signal })) pieces.push(Uint8Array.from(piece));
      return Buffer.concat(pieces);
    },
    attempts,
  );
  if (bytes === undefined) return undefined;
  const found = decodeJobObject(bytes, JOB_KEY);
  if (etag !== '') state.targets.cache(target.name, JOB_KEY, etag, bytes);
  return found;
}

/** Read back, for not every server keeps two machines apart that write at a time. */
async function writeJobObject(request: ClaimRequest, isReplacing: boolean): Promise<void> {
  const { target, job, state, nowMs, attempts } = request;
  const { signal } = attempts;
  const bytes = encodeJobObject({
    format: MANIFEST_FORMAT,
    job,
    jobId: state.jobId,
    machine: hostname(),
    sinceMs: nowMs,
  });
  await attempting(
    `put ${JOB_KEY}`,
    async () => {
      if (isReplacing) await target.put(JOB_KEY, bytes, { signal });
      else await target.putIfAbsent(JOB_KEY, bytes, { signal });
    },
    attempts,
  );
  const found = await readJobObject({ ...request, catalogue: { ...request.catalogue, objects: new Map() } });
  if (found?.jobId !== state.jobId) throw refusal(request, found);
}

function refusal({ target, job }: ClaimRequest, other: Partial<JobObject> | undefined): IsyncError {
  const who = other?.machine === undefined ? 'another machine' : `another machine (${other.machine})`;
  return new IsyncError('FENCED', `the backups of "${job}" at ${target.name} are those of ${who}`, {
    path: JOB_KEY,
    hint: 'Where that one makes no more, or this is it without its state, run once with --adopt. Else give this job another name.',
  });
}
