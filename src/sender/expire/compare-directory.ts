import { sameVersion } from '../../model/file-entry.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { PARSE_MARKER } from '../../model/markers.ts';
import { problemOf, type Problem } from '../../model/problem.ts';
import { joinRelPath } from '../../model/rel-path.ts';
import { inspectFile } from '../../scanner/inspect-file.ts';
import { listDirectory } from '../../scanner/list-directory.ts';
import type { Finding, ListedFile } from '../../scanner/listed-file.ts';
import { digestSource } from '../digest-source.ts';
import { makeDurable } from '../durable-source.ts';
import { otherStore } from '../other-store.ts';
import { createSourceFile } from '../source-file.ts';
import type { Target, TargetRecord } from '../target.ts';
import { atTarget, type Place } from './place.ts';
import { VerifiedPrint } from './survey.ts';

/** Content that both sides read for one question to the target, in bytes; a single larger file goes alone. */
const GROUP_BYTES = 64 * 1024 * 1024;
export interface CompareOptions {
  readonly target: Target;
  /** The store whose word counts. */
  readonly store: string;
  readonly readBack: boolean;
  readonly signal: AbortSignal;
  readonly onCompared: (files: number, bytes: number) => void;
}

export type Comparison =
  | { readonly outcome: 'equal'; readonly print: string }
  /** One file is not as it is at the target, or could not be read here; or the target has retired all of it. */
  | { readonly outcome: 'different'; readonly problem: Problem };

/**
 * Compares every file of a directory, and the parser's marker, with what the target holds now: size, mtime and digest. It
 * reads all of them here, and the target does so there unless it keeps digests.
 *
 * @throws IsyncError EXPIRE_STOPPED where the target lacks one, OTHER_STORE, and what the target can't be asked for
 */
export async function compareDirectory(place: Place, options: CompareOptions): Promise<Comparison> {
  const print = new VerifiedPrint(place);
  let isFirst = true;
  for await (const group of groupsOf(place, options.signal)) {
    // What the target has retired is not read for nothing.
    const retired = isFirst ? await retiredProblem(place, group, options) : undefined;
    if (retired !== undefined) return { outcome: 'different', problem: retired };
    isFirst = false;
    for (const file of group) print.add(file);
    const problem = await compareGroup(place, group, options);
    if (problem !== undefined) return { outcome: 'different', problem };
  }
  return { outcome: 'equal', print: print.toString() };
}

/** Why a directory stays that the target has removed by its own retention: what is here is all that there is of it. */
async function retiredProblem(
  place: Place,
  [file]: readonly ListedFile[],
  { target, signal }: CompareOptions,
): Promise<Problem | undefined> {
  if (file === undefined) return undefined;
  const [record] = await target.look([atTarget(place, file.entry.path)], { signal });
  const atMs = record === undefined ? await target.retiredAt(place.name, { signal }) : undefined;
  if (atMs === undefined) return undefined;
  const message = `the target has retired it at ${new Date(atMs).toISOString()}: this is the only copy`;
  return { code: 'NOT_EXPIRED', path: place.name, message };
}

/** All files, in groups that are compared at once; what is no file has been found before, and is found again at the end. */
async function* groupsOf(place: Place, signal: AbortSignal): AsyncGenerator<readonly ListedFile[]> {
  const { root, at } = place;
  for await (const batch of listDirectory(root, at, { ignore: () => false, signal })) yield* split(batch);
  const marker = inspectFile(root, joinRelPath(at, PARSE_MARKER));
  if (marker?.kind === 'file') yield [marker.file];
}

function* split(batch: readonly Finding[]): Generator<readonly ListedFile[]> {
  let group: ListedFile[] = [];
  let bytes = 0;
  for (const finding of batch) {
    if (finding.kind === 'problem') continue;
    const { size } = finding.file.entry;
    if (group.length > 0 && bytes + size > GROUP_BYTES) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(finding.file);
    bytes += size;
  }
  if (group.length > 0) yield group;
}

async function compareGroup(
  place: Place,
  files: readonly ListedFile[],
  { target, store, readBack, signal, onCompared }: CompareOptions,
): Promise<Problem | undefined> {
  const paths = files.map(({ entry }) => atTarget(place, entry.path));
  const [records, digests] = await Promise.all([
    target.look(paths, { digest: true, keptDigest: !readBack, store, signal }),
    digestsOf(place, files, target),
  ]);
  for (const [index, file] of files.entries()) {
    const digest = digests[index];
    if (digest !== undefined && !Buffer.isBuffer(digest)) return digest;
    const fault = faultOf(place, file, records[index], digest);
    if (fault !== undefined) return fault;
  }
  onCompared(
    files.length,
    files.reduce((sum, { entry }) => sum + entry.size, 0),
  );
  return undefined;
}

/** Digests of the files here, in their order; a problem for what can't be read. */
async function digestsOf(
  place: Place,
  files: readonly ListedFile[],
  { traits }: Target,
): Promise<(Buffer | Problem)[]> {
  // From then on also a store through a memory map changes a file's times.
  const durable = files.map(({ entry }) => makeDurable(place.root, entry.path, 'backlog').catch(asProblem));
  const digests: (Buffer | Problem)[] = [];
  for (const [index, file] of files.entries()) {
    const problem = await durable[index];
    digests.push(
      problem ?? (await digestSource(createSourceFile(place.root, file), traits.digest).catch(asProblem)),
    );
  }
  return digests;
}

function asProblem(thrown: unknown): Problem {
  const error = toIsyncError(thrown, 'FILE_UNREADABLE');
  return problemOf(error, error.path ?? '');
}

/** @throws IsyncError EXPIRE_STOPPED */
function faultOf(
  place: Place,
  { entry }: ListedFile,
  record: TargetRecord | undefined,
  digest: Buffer | undefined,
): Problem | undefined {
  const path = atTarget(place, entry.path);
  if (record === undefined)
    throw new IsyncError('EXPIRE_STOPPED', `the target does not have ${path}`, { path });
  const message = differenceOf(entry, record, digest);
  return message === undefined ? undefined : { code: 'DIFFERENT', path, message };
}

function differenceOf(
  entry: ListedFile['entry'],
  record: TargetRecord,
  digest: Buffer | undefined,
): string | undefined {
  if (record.entry.size !== entry.size) return `${entry.size} bytes here, ${record.entry.size} at the target`;
  if (!sameVersion(entry, record.entry)) return 'its modification time differs at the target';
  if (digest === undefined) return undefined;
  if (record.digest === undefined) return 'the target could not read it';
  return digest.equals(record.digest) ? undefined : 'its content differs at the target';
}

/**
 * Whether the target still has all of it, by size and mtime; undefined where it has.
 * @throws IsyncError EXPIRE_STOPPED where it lacks one, OTHER_STORE
 */
export async function lookAgain(
  place: Place,
  { target, store, signal }: Pick<CompareOptions, 'target' | 'store' | 'signal'>,
): Promise<Problem | undefined> {
  for await (const files of groupsOf(place, signal)) {
    const paths = files.map(({ entry }) => atTarget(place, entry.path));
    const records = await target.look(paths, { signal });
    for (const [index, file] of files.entries()) {
      const fault = faultOf(place, file, records[index], undefined);
      if (fault !== undefined) return fault;
    }
  }
  if ((await target.identify({ signal })).store !== store) throw otherStore();
  return undefined;
}
