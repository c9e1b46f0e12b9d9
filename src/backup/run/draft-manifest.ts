import { createHash } from 'node:crypto';
import { IsyncError } from '../../model/isync-error.ts';
import { decodeManifest, encodeManifest } from '../manifest/manifest-codec.ts';
import { MANIFEST_FORMAT, type Manifest, type NeededArchive } from '../manifest/manifest.ts';
import { LIST_ENDING } from '../names/backup-name.ts';
import type { Packed } from '../pack/pack.ts';
import { filesOf, readIfThere, writeDurably } from './local-files.ts';
import type { ArchiveWork, RunContext } from './run-context.ts';
import { writeStoredList } from './stored-list.ts';

/** What stands beside an archive in a store, on this machine until it does. */
export interface DraftedManifest {
  readonly manifest: Manifest;
  readonly bytes: Buffer;
  readonly storedList: Buffer;
}

/**
 * Writes down what a packed archive is: durable before the state says that it is packed, so that a run that goes on by then need not pack it
 * again to know.
 */
export async function draftManifest(
  context: RunContext,
  work: ArchiveWork,
  packed: Packed,
): Promise<DraftedManifest> {
  const { request, state, encryption, now } = context;
  const { job, madeBy } = request;
  const { name, version, type, startedMs, run } = work.pack;
  const files = filesOf(job.stateDir, version);
  const stored = await writeStoredList(files.list, files.storedList, encryption);
  const archive = { key: name, size: packed.size, sha256: packed.sha256 };
  const manifest: Manifest = {
    format: MANIFEST_FORMAT,
    madeBy,
    job: job.name,
    jobId: state.jobId,
    run,
    name,
    version,
    type,
    startedMs,
    finishedMs: Math.max(now(), startedMs),
    timezone: job.timezone,
    compress: job.compress,
    isEncrypted: encryption !== undefined,
    archive,
    list: { key: `${name}${LIST_ENDING}`, ...stored, records: packed.records },
    needs: [...olderNeeds(work, packed), { ...archive, version }],
    base: work.base?.version,
    counts: packed.counts,
    problems: packed.problems,
    isShrunk: packed.isShrunk,
    tags: job.tags,
  };
  const bytes = encodeManifest(manifest);
  // What nobody could read again is no backup.
  decodeManifest(bytes, name);
  await writeDurably(files.manifest, one(bytes));
  const storedList = await readIfThere(files.storedList);
  if (storedList === undefined)
    throw new IsyncError('STORE_FAILED', 'the list of a backup is gone', { path: files.storedList });
  return { manifest, bytes, storedList };
}

/** What a run before has drafted of this archive; undefined where that is missing or of another one. */
export async function readDraft(
  context: RunContext,
  work: ArchiveWork,
): Promise<DraftedManifest | undefined> {
  const { pack } = work;
  const files = filesOf(context.request.job.stateDir, pack.version);
  const bytes = await readIfThere(files.manifest);
  const storedList = await readIfThere(files.storedList);
  if (bytes === undefined || storedList === undefined) return undefined;
  try {
    const manifest = decodeManifest(bytes, files.manifest);
    const { archive, list, version, name } = manifest;
    const isOfPack = version === pack.version && name === pack.name && archive.sha256 === pack.packed?.sha256;
    const isWhole = createHash('sha256').update(storedList).digest('hex') === list.sha256;
    return isOfPack && isWhole ? { manifest, bytes, storedList } : undefined;
  } catch (err) {
    context.log.warn('what was known of a packed archive can not be read', { err });
    return undefined;
  }
}

function olderNeeds({ base, pack }: ArchiveWork, { needs }: Packed): NeededArchive[] {
  const known = new Map(base?.needs.map((need) => [need.version, need]));
  return [...needs]
    .filter((version) => version !== pack.version)
    .toSorted((a, b) => a - b)
    .map((version) => {
      const need = known.get(version);
      if (need !== undefined) return need;
      throw new IsyncError(
        'BACKUP_DAMAGED',
        `the list of the base points to archive ${version}, which it does not need`,
      );
    });
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
