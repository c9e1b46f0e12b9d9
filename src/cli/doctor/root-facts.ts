import { accessSync, closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { RelPath } from '../../model/rel-path.ts';
import { isMarked, MARK_BIT } from '../../scanner/is-marked.ts';
import type { DataDirectory, NewestBy } from '../../scanner/data-directory.ts';
import type { IgnoreRule } from '../../scanner/ignore-rule.ts';
import { compareAge } from '../../scanner/newest.ts';
import { walk } from '../../scanner/walk.ts';

/** Entries looked at: a second or two of a local disk. What lies beyond is not counted. */
const MOST_ENTRIES = 200_000;
/** Entries looked at before other work gets its turn. */
const SLICE = 256;
/** Mode of an ordinary file, and the mask of an ordinary user. */
const USUAL = { mode: 0o666, umask: 0o022 };
/** open(2): a file without a name, which nobody sees. Node has no word for it; it is this on all that Node is built for. */
const O_TMPFILE = constants.O_DIRECTORY | 0o20000000;
/** capabilities(7): may change what belongs to others. */
const CAP_FOWNER = 3;

/** What is known of the unsealed data directories that a scan watches, the newest ones; or of all. */
export interface RootFacts {
  readonly directories: readonly DataDirectory[];
  /** At any depth, the directories themselves among them. */
  readonly folders: number;
  readonly files: number;
  /** Paths of the first of each kind; undefined: there is none. */
  readonly notOurs: string | undefined;
  readonly unreadable: string | undefined;
  /** With a group-write bit that is no mark. */
  readonly writableByGroup: string | undefined;
  /** A directory whose default ACL gives new files the group-write bit. */
  readonly openAcl: string | undefined;
  /** A directory that we may not write `finished.watch` to. */
  readonly notWritable: { readonly directory: RelPath; readonly cause: unknown } | undefined;
}

export interface LookOptions {
  readonly root: string;
  /** Undefined: sealed ones and those that are not watched as well. */
  readonly watched: { readonly most: number; readonly newest: NewestBy } | undefined;
  readonly ignore: IgnoreRule;
}

/** Looks at what a scan would watch, or at all that is there. It writes nothing. */
export async function lookAtRoot(
  found: readonly DataDirectory[],
  { root, watched, ignore }: LookOptions,
): Promise<RootFacts> {
  const directories = watched === undefined ? found : watchedOf(found, watched);
  const facts: { -readonly [Key in keyof RootFacts]: RootFacts[Key] } = {
    directories,
    folders: directories.length,
    files: 0,
    notOurs: undefined,
    unreadable: undefined,
    writableByGroup: undefined,
    openAcl: undefined,
    notWritable: undefined,
  };
  const mayChangeAll = mayChangeFilesOfOthers();
  let looked = 0;
  for (const { name } of directories.toReversed()) {
    const folder = `${root}/${name}`;
    facts.notWritable ??= faultOfWriting(root, name);
    if (facts.openAcl === undefined && opensToGroup(folder)) facts.openAcl = folder;
    for (const step of walk(root, name)) {
      if (++looked > MOST_ENTRIES) return facts;
      if (looked % SLICE === 0) await setImmediate();
      if (step.kind === 'folder') facts.folders++;
      if (step.kind !== 'entry' || !step.stats.isFile() || ignore(step.path)) continue;
      facts.files++;
      const path = `${root}/${step.path}`;
      if (!mayChangeAll && step.stats.uid !== process.geteuid?.()) facts.notOurs ??= path;
      if (facts.unreadable === undefined && !isReadable(path)) facts.unreadable = path;
      if (hasOthersBit(step.stats)) facts.writableByGroup ??= path;
    }
  }
  return facts;
}

function watchedOf(
  found: readonly DataDirectory[],
  { most, newest }: NonNullable<LookOptions['watched']>,
): readonly DataDirectory[] {
  const open = found.filter(({ seal }) => seal === undefined).toSorted(compareAge(newest, Date.now()));
  return open.slice(-most);
}

/** As a parser with umask 002 leaves a file: the bit is there, and nothing has come after the last write. */
function hasOthersBit(stats: Stats): boolean {
  return (stats.mode & MARK_BIT) !== 0 && !isMarked(stats);
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function faultOfWriting(root: string, directory: RelPath): RootFacts['notWritable'] {
  try {
    accessSync(`${root}/${directory}`, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (cause) {
    return { directory, cause };
  }
}

/** A default ACL takes the place of the umask (acl(5)): whether a usual file gets the group-write bit by it. */
function opensToGroup(folder: string): boolean {
  const umask = process.umask(USUAL.umask);
  try {
    const file = openSync(folder, constants.O_RDWR | O_TMPFILE, USUAL.mode);
    try {
      return (fstatSync(file).mode & MARK_BIT) !== 0;
    } finally {
      closeSync(file);
    }
  } catch {
    // A file system without files that have no name, or a folder that is not ours: nothing is known.
    return false;
  } finally {
    process.umask(umask);
  }
}

function mayChangeFilesOfOthers(): boolean {
  try {
    const [, effective = '0'] =
      /^CapEff:\s*([\da-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return ((BigInt(`0x${effective}`) >> BigInt(CAP_FOWNER)) & 1n) === 1n;
  } catch {
    return process.geteuid?.() === 0;
  }
}
