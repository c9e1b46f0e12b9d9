import { fsync, linkSync, lstatSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import type { DirectoryRecord, RegularRecord, SymlinkRecord } from '../list/file-record.ts';
import { FolderPath } from './folder-path.ts';
import { type Members, noteProblem, selectedOf } from './members.ts';
import type { OpenFolder } from './open-folder.ts';
import { isRestoredAs } from './restore-content.ts';
import { Settling } from './settling.ts';
import { stamp, stampSymlink } from './stamp.ts';
import { writeError } from './write-error.ts';

const sync = promisify(fsync);

/**
 * Makes symlinks and other names of files, once all content is there, so that none is written through one; and gives each folder its
 * mode and time, which is the last that is done in it.
 */
export async function restoreLinks(request: Members): Promise<void> {
  const { root, isSelected, isResumed, tally } = request;
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
        noteProblem(tally, record?.path ?? '', error);
      }
    },
  });
  try {
    for await (const record of selectedOf(request)) {
      const { path } = record;
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
        noteProblem(tally, path, error);
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
