import { stat } from 'node:fs/promises';
import { ignorePatterns } from '../../config/schemas/sender.ts';
import type { ScanConfig } from '../../config/schemas/scan.ts';
import type { VerifyConfig } from '../../config/schemas/verify.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { formatCount } from '../../observe/units.ts';
import { createIgnoreRule } from '../../scanner/ignore-rule.ts';
import { type DataDirectories, listDataDirectories } from '../../scanner/list-data-directories.ts';
import { NOT_OURS_HINT, READ_HINT } from '../../scanner/mark.ts';
import { markerError } from '../../scanner/markers.ts';
import { isEmpty, looksLikeData, noneIn } from '../../sender/root-check.ts';
import { closeWriteFault } from '../../watcher/inotifywait.ts';
import { type Check, failure, ok, warning } from './check.ts';
import { checkCloseWrite, checkInotify, inotifyLimits } from './inotify.ts';
import { lookAtRoot, type RootFacts } from './root-facts.ts';
import { tryMark } from './try-mark.ts';

const FILES = 'files';

/** Looks at the root as a scan does, at who owns what lies in it, and at what watches it. */
export async function* rootChecks(config: ScanConfig): AsyncGenerator<Check> {
  const { root, tag, maxWatched, newest, complete } = config;
  let found: DataDirectories;
  try {
    found = await listDataDirectories(root, { tag });
  } catch (error) {
    yield failure('root', error);
    return;
  }
  yield checkRoot('scan', config, found);
  const ignore = createIgnoreRule(ignorePatterns(config));
  const facts = await lookAtRoot(found.directories, { root, watched: { most: maxWatched, newest }, ignore });
  yield await checkMarks(root, facts);
  yield checkFiles(facts, 'in unsealed directories can be read and marked');
  yield* groupBitChecks(facts, config.marks);
  const fault = complete === 'settle' ? undefined : await closeWriteFault();
  yield checkCloseWrite(complete, fault);
  const isTwice = complete !== 'settle' && fault === undefined;
  const { folders, directories } = facts;
  yield checkInotify(inotifyLimits(), { folders, directories: directories.length, isTwice });
}

/** Looks at the root as `isync verify` does, which reads all of it, and with --repair takes marks and markers off. */
export async function* comparedRootChecks(config: VerifyConfig): AsyncGenerator<Check> {
  const { root, tag, repair } = config;
  let found: DataDirectories;
  try {
    found = await listDataDirectories(root, { tag });
  } catch (error) {
    yield failure('root', error);
    return;
  }
  yield checkRoot('verify', { root, tag, once: true }, found);
  const ignore = createIgnoreRule(ignorePatterns(config));
  const facts = await lookAtRoot(found.directories, { root, watched: undefined, ignore });
  if (repair) yield await checkMarks(root, facts);
  yield repair ? checkFiles(facts, 'can be read and marked') : checkReadable(facts);
}

function checkRoot(
  command: 'scan' | 'verify',
  { root, tag, once }: Pick<ScanConfig, 'root' | 'tag' | 'once'>,
  found: DataDirectories,
): Check {
  const name = 'root';
  const fault = looksLikeData(command, root, tag, found);
  // What a scan that goes on only tells.
  if (fault !== undefined)
    return found.markers || once ? failure(name, fault) : warning(name, fault.message, fault.hint);
  const [problem] = found.problems;
  if (problem !== undefined) return warning(name, `${problem.path}: ${problem.message}`);
  if (isEmpty(found))
    return warning(
      name,
      noneIn(root, tag),
      command === 'scan' ? 'Nothing is sent until there is one.' : 'There is nothing to compare.',
    );
  return ok(
    name,
    `${root} has ${formatCount(found.directories.length, 'data directory', 'data directories')}`,
  );
}

/** Tries it once on each file system: data directories may be mounted. */
async function checkMarks(root: string, { directories }: RootFacts): Promise<Check> {
  const name = 'marks';
  try {
    const { dev } = await stat(root);
    const mounted = new Map(
      directories.filter(({ device }) => device !== dev).map((each) => [each.device, each.name] as const),
    );
    await tryMarkAtRoot(root, directories.at(-1)?.name);
    for (const directory of mounted.values()) await tryMark(root, directory);
    return ok(name, 'the group-write bit is kept');
  } catch (error) {
    return failure(name, error);
  }
}

/** A scan writes to data directories alone: the root itself may be somebody else's. */
async function tryMarkAtRoot(root: string, newest: string | undefined): Promise<void> {
  try {
    await tryMark(root, '');
  } catch (error) {
    const isOthers = error instanceof IsyncError && errnoOf(error.cause) === 'EACCES';
    if (!isOthers || newest === undefined) throw error;
    await tryMark(root, newest);
  }
}

function checkFiles(facts: RootFacts, may: string): Check {
  const { files, notOurs, notWritable } = facts;
  const readable = checkReadable(facts);
  if (readable.level !== 'ok') return readable;
  if (notOurs !== undefined)
    return failure(
      FILES,
      new IsyncError('MARK_NOT_KEPT', `${notOurs} belongs to another user, so that it can't be marked`, {
        hint: NOT_OURS_HINT,
      }),
    );
  if (notWritable !== undefined) return failure(FILES, markerError(notWritable.cause, notWritable.directory));
  return ok(FILES, `${formatCount(files, 'file')} ${may}`);
}

function checkReadable({ files, unreadable }: RootFacts): Check {
  if (unreadable === undefined) return ok(FILES, `${formatCount(files, 'file')} can be read`);
  return failure(
    FILES,
    new IsyncError('FILE_UNREADABLE', `${unreadable} can't be read`, { hint: READ_HINT }),
  );
}

function* groupBitChecks(
  { writableByGroup: file, openAcl: folder }: RootFacts,
  marks: 'trust' | 'verify',
): Generator<Check> {
  const what =
    folder === undefined
      ? file === undefined
        ? undefined
        : `${file} has been made with the group-write bit, which is the mark`
      : `new files in ${folder} get the group-write bit, which is the mark, by a default ACL`;
  if (what === undefined) return;
  const cure = folder === undefined ? 'Start the parser with umask 022 (UMask=0022)' : `setfacl -k ${folder}`;
  const name = 'umask and ACL';
  if (marks === 'trust')
    yield failure(
      name,
      new IsyncError('MARK_UNKNOWN', what, {
        hint: `${cure}; or leave --marks at verify, which asks the target.`,
      }),
    );
  else yield warning(name, what, `isync asks the target about each, which takes time: ${cure}.`);
}
