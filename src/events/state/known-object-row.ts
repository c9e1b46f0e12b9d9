import type { SQLOutputValue } from 'node:sqlite';
import { IsyncError } from '../../model/isync-error.ts';
import { isRelPath, type RelPath } from '../../model/rel-path.ts';
import { moveAway } from './sqlite.ts';
import type { KnownObject } from './pull-state.ts';

/** A row as node:sqlite gives it. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

/** Columns of an object, as {@link knownObject} reads them. */
export const OBJECT_COLUMNS =
  'bucket, key, isFolder, folder, path, etag, versionId, size, mtimeUs, sequencer, timeMs';

/** The absolute path of what is at `path` below `folder`. */
export function placeOf(folder: string, path: RelPath | ''): string {
  if (path === '') return folder;
  return folder.endsWith('/') ? `${folder}${path}` : `${folder}/${path}`;
}

/** `file` is named in the error of a row that holds what was never written. */
export function knownObject(row: Row, file: string): KnownObject {
  const path = text(row, 'path', file);
  if (!isRelPath(path)) throw damaged('path', file);
  return {
    bucket: text(row, 'bucket', file),
    key: text(row, 'key', file),
    kind: number(row, 'isFolder', file) === 1 ? 'folder' : 'file',
    folder: text(row, 'folder', file),
    path,
    etag: text(row, 'etag', file),
    versionId: row['versionId'] === null ? undefined : text(row, 'versionId', file),
    size: number(row, 'size', file),
    mtimeUs: number(row, 'mtimeUs', file),
    sequencer: row['sequencer'] === null ? undefined : text(row, 'sequencer', file),
    timeMs: row['timeMs'] === null ? undefined : number(row, 'timeMs', file),
  };
}

export function text(row: Row, column: string, file: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw damaged(column, file);
  return value;
}

export function number(row: Row, column: string, file: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw damaged(column, file);
  return value;
}

function damaged(column: string, file: string): IsyncError {
  return new IsyncError('STORE_FAILED', `the state file is damaged: a row has a wrong "${column}"`, {
    path: file,
    retryable: false,
    hint: moveAway(file),
  });
}
