import type { ErrorCode, IsyncError } from './isync-error.ts';

/** A fault of one file, as data and not as an exception. It is reported, and keeps its directory from being sealed. */
export interface Problem {
  /** For people to read: a RelPath where there is one, else the name with every byte that is not UTF-8 replaced. */
  readonly path: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export function problemOf(error: IsyncError, path: string): Problem {
  return { path, code: error.code, message: error.message };
}
