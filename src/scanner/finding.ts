import type { Stats } from 'node:fs';
import { identityOf } from '../model/file-identity.ts';
import { toMicroseconds } from '../model/file-entry.ts';
import { errnoOf, type ErrorCode } from '../model/isync-error.ts';
import type { RelPath } from '../model/rel-path.ts';
import { isMarked } from './is-marked.ts';
import type { Finding } from './listed-file.ts';

/**
 * Returns a file for the `stats` of something that is no folder; else a problem: NOT_REGULAR, or FILE_TOO_LARGE and
 * FILE_UNREADABLE for numbers that a FileEntry can't hold, at which a receiver would end the session each time.
 */
export function findingOf(path: RelPath, stats: Stats): Finding {
  if (!stats.isFile()) return problemFinding(path, 'NOT_REGULAR', notRegular(stats));
  const { size } = stats;
  const mtimeUs = toMicroseconds(stats.mtimeMs);
  if (!Number.isSafeInteger(size)) return problemFinding(path, 'FILE_TOO_LARGE', 'is larger than 2^53 bytes');
  if (!Number.isSafeInteger(mtimeUs))
    return problemFinding(path, 'FILE_UNREADABLE', 'its modification time lies beyond the year 2255');
  return {
    kind: 'file',
    file: {
      entry: { path, size, mtimeUs },
      identity: identityOf(stats),
      marked: isMarked(stats),
    },
  };
}

/** Returns a finding for an error of lstat(2) or of reading a folder. */
export function failedFinding(path: string, error: unknown): Finding {
  if (errnoOf(error) === 'ENAMETOOLONG')
    return problemFinding(path, 'BAD_PATH', 'the path, together with that of the root, is too long');
  return problemFinding(path, 'FILE_UNREADABLE', error instanceof Error ? error.message : String(error));
}

export function problemFinding(path: string, code: ErrorCode, message: string): Finding {
  return { kind: 'problem', problem: { path, code, message } };
}

export function notRegular(stats: Stats): string {
  return `is ${kindOf(stats)}; only regular files are transferred`;
}

function kindOf(stats: Stats): string {
  if (stats.isSymbolicLink()) return 'a symlink';
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}
