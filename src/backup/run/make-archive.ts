import { IsyncError } from '../../model/isync-error.ts';
import { packHere, type PackOrder } from '../apart/pack-order.ts';
import type { Packed, PackProgress } from '../pack/pack.ts';
import { dropArchive } from '../upload/drop-archive.ts';
import { openArchiveUpload } from '../upload/open-upload.ts';
import type { ArchiveUpload, UploadOutcome } from '../upload/uploads.ts';
import { type DraftedManifest, draftManifest, readDraft } from './draft-manifest.ts';
import { filesOf, makeLists, removeDrafts } from './local-files.ts';
import { metadataOf } from './metadata.ts';
import { publish } from './publish.ts';
import { type ArchiveWork, fail, type RunContext, usable } from './run-context.ts';

/**
 * Makes an archive, or goes on with it, and a backup of it at each target that takes it. A target that fails leaves the others complete.
 * Rejects where it fails for all: with FILE_CHANGED where it turns out another one than before and must begin anew.
 */
export async function makeArchive(context: RunContext, work: ArchiveWork): Promise<void> {
  const { draft, outcomes } = await uploaded(context, work);
  const { keeper, signal } = context;
  keeper.update({ stage: 'finishing' });
  const complete: string[] = [];
  let isResumable = false;
  for (const { target, error, isResumable: isLeft } of outcomes) {
    const [found] = usable(context, [target]);
    if (error !== undefined || found === undefined) {
      isResumable ||= isLeft;
      if (error !== undefined) fail(context, target, error);
      continue;
    }
    try {
      if (await publish(context, found, draft)) complete.push(target);
    } catch (err) {
      signal.throwIfAborted();
      isResumable = true;
      fail(context, target, err instanceof Error ? err : new Error(String(err)));
    }
  }
  signal.throwIfAborted();
  told(context, work, draft, complete);
  // What some target lacks lies here until the next run.
  if (!isResumable) await endArchive(context, work.pack.version);
}

/** Forgets an archive: it is complete, or nobody goes on with it. Its list stays, for the next backup. */
export async function endArchive(context: RunContext, version: number): Promise<void> {
  const { request, state, surveyed, log, signal } = context;
  const { stateDir } = request.job;
  const targets = [...surveyed.values()].map(({ target }) => target);
  await dropArchive({ version, targets, state, stateDir, log, signal });
  await removeDrafts(filesOf(stateDir, version));
}

async function uploaded(
  context: RunContext,
  work: ArchiveWork,
): Promise<{ readonly draft: DraftedManifest; readonly outcomes: readonly UploadOutcome[] }> {
  const { request, state, keeper, log, signal } = context;
  const { job } = request;
  const { pack } = work;
  await using upload = await openArchiveUpload({
    pack,
    targets: usable(context, work.targets).map(({ target }) => target),
    attributes: { tags: job.tags, metadata: metadataOf(pack, job.tags) },
    state,
    stateDir: job.stateDir,
    spoolBytes: job.spoolBytes,
    bwlimit: job.bwlimit,
    log,
    signal,
    onRetry: () => keeper.retried(),
  });
  if (upload.isPacked && pack.packed !== undefined) {
    const draft = await readDraft(context, work);
    if (draft === undefined)
      throw new IsyncError('FILE_CHANGED', 'what was packed is not known any more', { path: pack.name });
    keeper.update({ stage: 'uploading' });
    return { draft, outcomes: await upload.finish(pack.packed) };
  }
  keeper.update({ stage: 'packing' });
  const packed = await packInto(context, work, upload);
  const draft = await draftManifest(context, work, packed);
  keeper.update({ stage: 'uploading', files: packed.counts.files, bytes: packed.counts.bytes });
  return { draft, outcomes: await upload.finish({ size: packed.size, sha256: packed.sha256 }) };
}

async function packInto(
  context: RunContext,
  { pack, base }: ArchiveWork,
  { sink }: Pick<ArchiveUpload, 'sink'>,
): Promise<Packed> {
  const { request, keeper, log, signal } = context;
  const { isRehash, packer = packHere } = request;
  const { sources, stateDir, to, compress } = request.job;
  await makeLists(stateDir);
  const { version, secrets } = pack;
  const files = filesOf(stateDir, version);
  const order: PackOrder = {
    job: { sources, stateDir, to, compress },
    version,
    base: base && {
      version: base.version,
      listFile: filesOf(stateDir, base.version).list,
      records: base.list.records,
    },
    before: before(context),
    isRehash,
    secrets,
    listFile: files.list,
    scratchFolder: files.scratch,
  };
  const onProgress = (progress: PackProgress): void => {
    keeper.progress(progress);
    request.onProgress?.(progress);
  };
  return await packer(order, { sink, log, signal, onProgress });
}

/** Of the newest whole backup, wherever it is: what the next one is compared with. */
function before({ surveyed }: RunContext): { readonly files: number; readonly bytes: number } | undefined {
  const newest = [...surveyed.values()]
    .flatMap(({ standings }) => standings.find(({ fault }) => fault === undefined)?.backup.manifest ?? [])
    .toSorted((a, b) => b.version - a.version)[0];
  return newest?.counts;
}

function told(
  { keeper, backups, log }: RunContext,
  { reason }: ArchiveWork,
  { manifest }: DraftedManifest,
  targets: readonly string[],
): void {
  if (targets.length === 0) return;
  backups.push({ manifest, reason, targets });
  const { name, type, counts } = manifest;
  const { files, bytes, storedFiles, storedBytes, problems } = counts;
  keeper.update({
    files,
    bytes,
    problems: keeper.record.problems + problems,
    backups: [...new Set([...keeper.record.backups, name])],
  });
  log.info('a backup is complete', {
    backup: name,
    type,
    reason,
    targets,
    files,
    bytes,
    storedFiles,
    storedBytes,
  });
}
