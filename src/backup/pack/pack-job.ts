import { ArchiveSink } from './archive-sink.ts';
import { BaseRecords } from './base-records.ts';
import { FrameWriter } from './frames.ts';
import { HardLinks } from './hard-links.ts';
import { MemberPacker } from './member-packer.ts';
import { ownPlaces } from './own-places.ts';
import { OwnerNames } from './owner-names.ts';
import type { Packed, PackRequest } from './pack.ts';
import { ProvisionalList } from './provisional-list.ts';
import { readySources, walkSources } from './sources.ts';
import { Tally } from './tally.ts';
import { TarWriter } from './tar-writer.ts';

/** Files or bytes that are this many times fewer than before are told of: a disk may be missing. */
const SHRUNK = 2;

/**
 * Packs the sources of a job. For the same files and request the bytes are the same, whenever it is called: that is how a run that was
 * killed goes on (see upload/). Rejects with an IsyncError where a source is missing or empty, a command or the sink fails.
 * @param now in ms since the epoch
 */
export async function packJob(request: PackRequest, now: () => number = Date.now): Promise<Packed> {
  const { job, version, isRehash, sealer, log, signal, onProgress } = request;
  const sources = await readySources(request);
  const isOwn = ownPlaces(job);
  const archive = new ArchiveSink(sealer, request.sink);
  using frames = new FrameWriter(job.compress, archive);
  await using list = await ProvisionalList.create(request.listFile, version);
  await using base = new BaseRecords(request.base?.records, version);
  const tally = new Tally({ version, tellsPaths: sealer === undefined, log, onProgress });
  const tar = new TarWriter(frames);
  const members = new MemberPacker({
    tar,
    tally,
    base,
    owners: new OwnerNames(),
    links: new HardLinks(log),
    version,
    isRehash,
    signal,
    now,
  });
  try {
    for await (const step of walkSources(sources, { isOwn, signal })) {
      if (step.kind === 'problem') tally.problem(step.error, step.path);
      else if (step.kind === 'member' || step.kind === 'output') {
        const record = await members.pack(step);
        if (record === undefined) continue;
        await list.add(record);
        tally.member(record);
      } else tally.leftOut(step.kind);
    }
    await tar.end();
  } catch (error) {
    await tar.abandon();
    throw error;
  }
  const { size, sha256 } = await archive.end();
  await list.finish(frames);
  const { counts, problems, needs } = tally;
  return { size, sha256, counts, problems, needs, records: list.records, isShrunk: isShrunk(request, tally) };
}

function isShrunk({ before, log }: PackRequest, { counts: { files, bytes } }: Tally): boolean {
  if (before === undefined) return false;
  if (!isFarLess(files, before.files) && !isFarLess(bytes, before.bytes)) return false;
  log.warn('the backup has half of the files or bytes of the one before, or less', {
    files,
    bytes,
    filesBefore: before.files,
    bytesBefore: before.bytes,
  });
  return true;
}

function isFarLess(now: number, then: number): boolean {
  return then > 0 && now * SHRUNK <= then;
}
