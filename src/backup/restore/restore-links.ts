import { fsync, linkSync, lstatSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import type { DirectoryRecord, FileRecord, RegularRecord, SymlinkRecord } from '../list/file-record.ts';
import { FolderPath } from './folder-path.ts';
import type { OpenFolder } from './open-folder.ts';
import { isRestoredAs } from './restore-content.ts';
import type { Tally } from './tally.ts';
import { Settling } from './settling.ts';
import { stamp, stampSymlink } from './stamp.ts';
import { writeError } from './write-error.ts';

/** Records after which other work gets its turn. */
const RECORDS_AT_ONCE = 256;

const sync = promisify(fsync);

export interface LinksRequest {
  readonly records: AsyncIterable<FileRecord>;
  readonly root: OpenFolder;
  readonly isSelected: (path: string) => boolean;
  readonly isResumed: boolean;
  readonly tally: Tally;
  readonly signal: AbortSignal | undefined;
}

/**
 * Makes symlinks and other names of files, once all content is there, so that none is written through one; and gives each folder its
 * mode and time, which is the last that is done in it.
 */
export async function restoreLinks(request: LinksRequest): Promise<void> {
  const { root, records, isSelected, isResumed, tally, signal } = request;
  const problem = (path: string, error: unknown): void => {
    const told = writeError(error, path);
    if (told.code === 'STORE_FULL') throw told;
    tally.problem(path, told);
  };
  const settling = new Settling();
  const left: OpenFolder[] = [];
  const settleLeft = async (): Promise<void> => {
    for (const folder of left.splice(0)) await settling.add(async () => await settle(folder));
  };
  using folders = new FolderPath<DirectoryRecord>(root, {
    open: (parent, name) => parent.enter(name),
    onLeave: (folder, record) => {
      left.push(folder.retain());
      try {
        if (record !== undefined) stamp(folder.fd, record);
      } catch (error) {
        problem(record?.path ?? '', error);
      }
    },
  });
  let seen = 0;
  try {
    for await (const record of records) {
      if (++seen % RECORDS_AT_ONCE === 0) {
        signal?.throwIfAborted();
        await setImmediate();
      }
      const { path } = record;
      if (!isSelected(path)) continue;
      try {
        if (record.type === 'directory') folders.into(path, record);
        else if (record.type === 'symlink') {
          const { folder, name } = folders.toParentOf(path);
          makeSymlink(folder.at(name), record, isResumed);
          tally.symlinks++;
        } else if (isRestoredAs(record, isSelected)) {
          const { folder, name } = folders.toParentOf(path);
          makeName(root, folder.at(name), record, isResumed);
          tally.files++;
        }
      } catch (error) {
        problem(path, error);
      }
      await settleLeft();
    }
    folders.end();
    await settleLeft();
  } finally {
    for (const folder of left.splice(0)) folder.release();
    await settling.idle();
  }
}

/** Brings the names in a folder to the disk, and closes it. */
async function settle(folder: OpenFolder): Promise<void> {
  try {
    await sync(folder.fd);
  } catch (error) {
    // The answer of file systems that have no such thing as syncing a folder.
    const errno = errnoOf(error);
    if (errno !== 'EINVAL' && errno !== 'ENOTSUP') throw writeError(error, '');
  } finally {
    folder.release();
  }
}

function makeSymlink(at: Buffer, record: SymlinkRecord, isResumed: boolean): void {
  const target = Buffer.from(record.target);
  try {
    symlinkSync(target, at);
  } catch (error) {
    if (!isResumed || errnoOf(error) !== 'EEXIST') throw error;
    const isSame = lstatSync(at).isSymbolicLink() && readlinkSync(at, { encoding: 'buffer' }).equals(target);
    if (!isSame) {
      unlinkSync(at);
      symlinkSync(target, at);
    }
  }
  stampSymlink(at, record);
}

/** Gives a restored file one more name. Each folder on the way to it is opened by itself, and none through a symlink. */
function makeName(
  root: OpenFolder,
  at: Buffer,
  { path, linkTo = path, size }: RegularRecord,
  isResumed: boolean,
): void {
  using way = new FolderPath(root, { open: (parent, name) => parent.enter(name) });
  const { folder, name } = way.toParentOf(linkTo);
  const first = folder.at(name);
  const found = lstatSync(first);
  if (!found.isFile() || found.size !== size)
    throw new IsyncError('BACKUP_DAMAGED', `it is to be the file ${linkTo}, which is another one`, { path });
  try {
    linkSync(first, at);
  } catch (error) {
    if (!isResumed || errnoOf(error) !== 'EEXIST') throw error;
    if (lstatSync(at).ino === found.ino) return;
    unlinkSync(at);
    linkSync(first, at);
  }
}
