import type { ErrorCode, IsyncError } from './isync-error.ts';

/** Something wrong with one file: data, not an exception. It is reported and keeps its directory from being sealed. */
export interface Problem {
  /** For people to read: a RelPath where there is one, else the name with what is not UTF-8 replaced. */
  readonly path: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export function problemOf(error: IsyncError, path: string): Problem {
  return { path, code: error.code, message: error.message };
}
