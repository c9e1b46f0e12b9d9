import { type BigIntStats, constants, closeSync, fstatSync, lstatSync, openSync, readdirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Abortable } from '../../model/abortable.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import type { BackupSource } from '../job.ts';
import { nameText, pathText } from '../list/escaped-name.ts';
import { comparePaths, memberPathFault, type MemberPath, parseMemberPath } from '../list/member-path.ts';
import { createExcludes } from './exclude.ts';
import { readFault, throwOfMachine } from './left-out.ts';

/** Entries after which other work gets its turn: about 1 ms of a local disk. */
const ENTRIES_AT_ONCE = 256;
/** A folder that was exchanged for a symlink is not entered; nor is opening ever a wait. */
const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export type FolderSource = Extract<BackupSource, { kind: 'folder' }>;

export type WalkStep =
  | {
      readonly kind: 'member';
      readonly path: MemberPath;
      /**
       * Where it can be opened until the next step is asked for: through the folder that was read, so what is exchanged for a symlink above it
       * leads nowhere else.
       */
      readonly at: Buffer;
      readonly stats: BigIntStats;
    }
  /** Sockets, pipes and devices; what `isOwn` told; and what the source leaves out, what is mounted below with it. */
  | { readonly kind: 'special' | 'own' | 'excluded' }
  /** Left out, and what is in it. */
  | { readonly kind: 'problem'; readonly path: string; readonly error: IsyncError };

export interface WalkOptions extends Abortable {
  /** Whether a folder is isync's own, by its device and inode. */
  readonly isOwn: (stats: BigIntStats) => boolean;
}

/**
 * What a source holds, in the order of comparePaths: itself first, a folder before what is in it. Of each folder the names are in memory, of those
 * above it too. What goes away meanwhile is left out without a word.
 * @throws IsyncError SOURCE_FAILED where it is missing, can't be read, or is empty and may not be
 */
export async function* walkSource(source: FolderSource, options: WalkOptions): AsyncGenerator<WalkStep> {
  const walk = new SourceWalk(source, options.isOwn);
  try {
    let looked = 0;
    for (const step of walk.steps()) {
      options.signal?.throwIfAborted();
      yield step;
      if (++looked % ENTRIES_AT_ONCE === 0) await setImmediate();
    }
  } finally {
    walk.close();
  }
}

/** Its path in the archive; '' for the root of the file system. */
export function placeOfFolder({ path }: Pick<FolderSource, 'path'>): string {
  return pathText(path.replace(/^\/+/, ''));
}

interface OpenFolder {
  readonly fd: number;
  /** In the archive, with a "/" at its end; '' for the root of the file system. */
  readonly prefix: string;
  /** Sorted, the first one last. */
  readonly names: { readonly text: string; readonly bytes: Buffer }[];
}

class SourceWalk {
  readonly #source: FolderSource;
  readonly #isOwn: WalkOptions['isOwn'];
  readonly #isExcluded: (path: string) => boolean;
  /** From the source down to the folder that is being read. */
  readonly #open: OpenFolder[] = [];
  /** Characters of a path in the archive that belong to the source. */
  readonly #above: number;
  readonly #place: string;
  #device = 0n;

  constructor(source: FolderSource, isOwn: WalkOptions['isOwn']) {
    this.#source = source;
    this.#isOwn = isOwn;
    this.#isExcluded = createExcludes(source.exclude);
    this.#place = placeOfFolder(source);
    this.#above = this.#place === '' ? 0 : this.#place.length + 1;
  }

  *steps(): Generator<WalkStep> {
    const { path } = this.#source;
    const at = Buffer.from(path);
    const stats = this.#root(at);
    this.#device = stats.dev;
    const inArchive = this.#place;
    if (stats.isDirectory()) this.#enterRoot(at, inArchive, stats);
    else if (!stats.isFile()) throw failed(path, 'is neither a folder nor a file');
    if (!stats.isDirectory() || inArchive !== '')
      yield { kind: 'member', path: parseMemberPath(inArchive), at, stats };
    if (this.#open[0]?.names.length === 0 && !this.#source.allowEmpty)
      throw failed(path, 'is empty: is its disk mounted?');
    for (let folder = this.#open.at(-1); folder !== undefined; folder = this.#open.at(-1)) {
      const name = folder.names.pop();
      if (name !== undefined) yield* this.#look(folder, name);
      else closeSync(this.#open.pop()?.fd ?? -1);
    }
  }

  close(): void {
    for (const { fd } of this.#open.splice(0)) closeSync(fd);
  }

  #root(at: Buffer): BigIntStats {
    try {
      return lstatSync(at, { bigint: true });
    } catch (error) {
      throw failed(this.#source.path, errnoOf(error) === 'ENOENT' ? 'is not there' : "can't be read", error);
    }
  }

  #enterRoot(at: Buffer, inArchive: string, stats: BigIntStats): void {
    try {
      this.#enter(at, inArchive, stats);
    } catch (error) {
      throw failed(this.#source.path, `can't be read (${errnoOf(error) ?? String(error)})`, error);
    }
  }

  *#look(folder: OpenFolder, { text, bytes }: OpenFolder['names'][number]): Generator<WalkStep> {
    const path = folder.prefix + text;
    if (this.#isExcluded(path.slice(this.#above))) return yield { kind: 'excluded' };
    const at = Buffer.concat([Buffer.from(`/proc/self/fd/${folder.fd}/`), bytes]);
    try {
      const stats = lstatSync(at, { bigint: true });
      if (this.#isOwn(stats)) return yield { kind: 'own' };
      if (this.#source.oneFilesystem && stats.dev !== this.#device) return yield { kind: 'excluded' };
      if (!stats.isDirectory() && !stats.isFile() && !stats.isSymbolicLink())
        return yield { kind: 'special' };
      const fault = memberPathFault(path);
      if (fault !== undefined) throw new IsyncError('BAD_PATH', `the path ${fault}`, { path });
      if (stats.isDirectory()) this.#enter(at, path, stats);
      yield { kind: 'member', path: parseMemberPath(path), at, stats };
    } catch (error) {
      if (isGone(error)) return;
      throwOfMachine(error);
      yield { kind: 'problem', path, error: readFault(error, path) };
    }
  }

  #enter(at: Buffer, path: string, { dev, ino }: BigIntStats): void {
    const fd = openSync(at, FOLDER_FLAGS);
    try {
      const opened = fstatSync(fd, { bigint: true });
      if (opened.dev !== dev || opened.ino !== ino)
        throw new IsyncError('FILE_CHANGED', 'the folder was exchanged while it was looked at', { path });
      const names = readdirSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' })
        .map((bytes) => ({ text: nameText(bytes), bytes }))
        .sort((one, other) => comparePaths(other.text, one.text));
      this.#open.push({ fd, prefix: path === '' ? '' : `${path}/`, names });
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }
}

function isGone(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP';
}

function failed(path: string, why: string, cause?: unknown): IsyncError {
  return new IsyncError('SOURCE_FAILED', `the source ${why}`, { path, cause });
}
