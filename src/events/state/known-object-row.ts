import type { SQLInputValue, SQLOutputValue } from 'node:sqlite';
import { IsyncError } from '../../model/isync-error.ts';
import { isRelPath, type RelPath } from '../../model/rel-path.ts';
import { moveAway } from './state-error.ts';
import type { KnownObject } from './pull-state.ts';

/** A row as node:sqlite gives it: a value for each column, as an array, which takes half the time and memory of an object. */
export type Row = readonly SQLOutputValue[];

/** The types of node:sqlite tell of objects alone; see `setReturnArrays`. */
export function asRow(given: Readonly<Record<string, SQLOutputValue>> | Row): Row {
  return Array.isArray(given) ? given : Object.values(given);
}

/** Columns of an object, as {@link knownObject} reads them. */
export const OBJECT_COLUMNS =
  'bucket, key, isFolder, folder, path, etag, versionId, size, mtimeUs, sequencer, timeMs';

/** The values of {@link OBJECT_COLUMNS}, in their order. */
export function valuesOf(object: KnownObject): SQLInputValue[] {
  const { bucket, key, kind, folder, path, etag, versionId, size, mtimeUs, sequencer, timeMs } = object;
  return [
    bucket,
    key,
    kind === 'folder' ? 1 : 0,
    folder,
    path,
    etag,
    versionId ?? null,
    size,
    mtimeUs,
    sequencer ?? null,
    timeMs ?? null,
  ];
}

/** The absolute path of what is at `path` below `folder`. */
export function placeOf(folder: string, path: RelPath | ''): string {
  if (path === '') return folder;
  return folder.endsWith('/') ? `${folder}${path}` : `${folder}/${path}`;
}

/**
 * @param file named in the error of a row that holds what was never written
 * @throws IsyncError STORE_FAILED
 */
export function knownObject(row: Row, file: string): KnownObject {
  const [bucket, key, isFolder, folder, path, etag, versionId, size, mtimeUs, sequencer, timeMs] = row;
  const relPath = text(path, file);
  if (!isRelPath(relPath)) throw damaged(file);
  return {
    bucket: text(bucket, file),
    key: text(key, file),
    kind: number(isFolder, file) === 1 ? 'folder' : 'file',
    folder: text(folder, file),
    path: relPath,
    etag: text(etag, file),
    versionId: versionId === null ? undefined : text(versionId, file),
    size: number(size, file),
    mtimeUs: number(mtimeUs, file),
    sequencer: sequencer === null ? undefined : text(sequencer, file),
    timeMs: timeMs === null ? undefined : number(timeMs, file),
  };
}

export function text(value: SQLOutputValue | undefined, file: string): string {
  if (typeof value !== 'string') throw damaged(file);
  return value;
}

export function number(value: SQLOutputValue | undefined, file: string): number {
  if (typeof value !== 'number') throw damaged(file);
  return value;
}

function damaged(file: string): IsyncError {
  return new IsyncError(
    'STORE_FAILED',
    'the state file is damaged: a row has a value that was never written',
    {
      path: file,
      retryable: false,
      hint: moveAway(file),
    },
  );
}
