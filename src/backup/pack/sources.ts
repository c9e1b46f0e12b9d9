import { mkdir } from 'node:fs/promises';
import { lstatSync } from 'node:fs';
import type { Log } from '../../model/log.ts';
import type { BackupJob } from '../job.ts';
import { pathText } from '../list/escaped-name.ts';
import { comparePaths, parseMemberPath } from '../list/member-path.ts';
import type { PackedSources } from '../upload/part-bytes.ts';
import { writeFault } from './file-fault.ts';
import { commandOutput, type CommandSource } from './command-output.ts';
import { ownPlaces } from './own-places.ts';
import {
  type FolderSource,
  placeOfFolder,
  walkSource,
  type WalkOptions,
  type WalkStep,
} from './walk-source.ts';

/** A source that can be read: a folder, or what a command has printed. */
export type ReadySource = (FolderSource | (CommandSource & { readonly output: string })) & {
  /** Its path in the archive. */
  readonly place: string;
};

/** `output`: what a command has printed, in a file of ours. */
export type SourceStep =
  WalkStep | (Omit<Extract<WalkStep, { kind: 'member' }>, 'kind'> & { readonly kind: 'output' });

export interface SourcesRequest {
  readonly job: Pick<BackupJob, 'sources' | 'stateDir' | 'to'>;
  readonly scratchFolder: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * The sources of a job in the order of their places, commands run, one after the other as they are configured.
 * @throws IsyncError SOURCE_FAILED, STORE_FULL, STORE_FAILED
 */
export async function readySources({
  job,
  scratchFolder,
  log,
  signal,
}: SourcesRequest): Promise<readonly ReadySource[]> {
  const ready: ReadySource[] = [];
  for (const source of job.sources) {
    signal.throwIfAborted();
    if (source.kind === 'folder') {
      ready.push({ ...source, place: placeOfFolder(source) });
      continue;
    }
    await mkdir(scratchFolder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw writeFault(error, scratchFolder, 'what a command prints');
    });
    const output = await commandOutput(source, scratchFolder, { log, signal });
    ready.push({ ...source, output, place: pathText(source.as) });
  }
  return ready.sort((one, other) => comparePaths(one.place, other.place));
}

/** What all of them hold, in the order of comparePaths: none lies within another. Rejects as walkSource() does. */
export async function* walkSources(
  sources: readonly ReadySource[],
  options: WalkOptions,
): AsyncGenerator<SourceStep> {
  for (const source of sources) {
    if (source.kind === 'folder') {
      yield* walkSource(source, options);
      continue;
    }
    options.signal?.throwIfAborted();
    const stats = lstatSync(source.output, { bigint: true });
    yield { kind: 'output', path: parseMemberPath(source.place), at: Buffer.from(source.output), stats };
  }
}

/**
 * How much there is to pack, before it is packed: see partBytesFor(). Runs the commands; packing with the same folder does not run them again.
 * @throws IsyncError as readySources() and walkSources() do
 */
export async function measureSources(request: SourcesRequest): Promise<PackedSources> {
  const { job, signal } = request;
  let [bytes, members, pathBytes] = [0, 0, 0];
  for await (const step of walkSources(await readySources(request), { isOwn: ownPlaces(job), signal })) {
    if (step.kind !== 'member' && step.kind !== 'output') continue;
    members++;
    pathBytes += Buffer.byteLength(step.path);
    if (step.stats.isFile()) bytes += Number(step.stats.size);
  }
  return { bytes, members, pathBytes };
}
