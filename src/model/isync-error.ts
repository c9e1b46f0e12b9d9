/**
 * Every code an error or a problem of isync can carry. The codes are stable: scripts match on them, they
 * travel on the wire, and docs/operations.md gives the cause and the cure of each.
 */
export const ERROR_CODES = [
  'USAGE', // the command line is wrong
  'CONFIG_INVALID', // a config file, an environment variable or a token file is wrong
  'AUTH_REFUSED', // no token, a wrong or revoked one, or one of another device
  'VERSION_UNSUPPORTED', // the other side speaks no protocol version of ours
  'TLS_FAILED', // certificate or handshake refused
  'FENCED', // another sender of the same device is at work, or took over
  'UNREACHABLE', // nobody answers, or not in time
  'LINK_LOST', // a connection that stood has broken; the operation is tried again on the next one
  'PROTOCOL', // the other side broke a rule of PROTOCOL.md
  'BUSY', // the other side is at a limit of connections or requests, or is shutting down
  'DIGEST_MISMATCH', // the bytes that arrived are not the bytes that were read
  'BAD_PATH', // a name that can't be a RelPath: not UTF-8, too long, leaving its folder
  'PATH_CONFLICT', // a file where a folder is needed, or the reverse, or a symlink in the store
  'NOT_REGULAR', // a symlink, socket, device or FIFO among the data
  'FILE_CHANGED', // written to while it was read
  'FILE_VANISHED', // gone before it was read
  'FILE_UNREADABLE', // permission or I/O error while reading
  'SOURCE_DAMAGED', // shorter than the target's copy of the same mtime, or nothing but zeros: a power cut
  'MARK_UNKNOWN', // `--marks trust`: marked, and the target does not have it
  'SEALED_GROWN', // files appeared in a directory after it was sealed
  'FILE_TOO_LARGE', // over the store's limit
  'IMMUTABLE', // kept already with different content
  'STORE_FULL', // no space (or quota) left at the target
  'STORE_FAILED', // the target can't write: permission, I/O error
  'STORE_MISSING', // the target folder or bucket is not there
  'STORE_REFUSED', // the object store refuses our credentials, or they lack a permission
  'CLOCK_SKEW', // our clock and that of the object store differ too much for it to take our signatures
  'ROOT_MISSING', // the root is not a folder
  'READ_ONLY', // marks or markers can't be written
  'MARK_NOT_KEPT', // chmod succeeded but the mark is not there, or is not ours to set
  'WATCH_FAILED', // no watch can be had; the reconcile finds files all the same, later
  'DIFFERENT', // verify: both sides have the file, with different content
  'MISSING', // verify: the target lacks the file
  'EXTRA', // verify: only the target has the file
  'OUTPUT_FAILED', // stdout can't be written to
  'INTERRUPTED', // stopped by a signal
  'INTERNAL', // a fault of isync itself
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

const KNOWN_CODES: ReadonlySet<string> = new Set(ERROR_CODES);

export function isErrorCode(text: string): text is ErrorCode {
  return KNOWN_CODES.has(text);
}

export interface IsyncErrorDetails {
  /** Whether the same operation may succeed later without anyone changing anything but time and load. */
  readonly retryable?: boolean;
  /** The path concerned, for people to read; not necessarily a RelPath. */
  readonly path?: string;
  /** What the user can do about it, as a sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The one error class: what failed in words, under a stable code. */
export class IsyncError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly path: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: IsyncErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'IsyncError';
    this.code = code;
    this.retryable = details.retryable ?? false;
    this.path = details.path;
    this.hint = details.hint;
  }
}

/** The errno name ("ENOENT") of a Node system error, or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** `error` as an IsyncError; whatever is not one yet becomes `fallback` with the original as its cause. */
export function toIsyncError(
  error: unknown,
  fallback: ErrorCode,
  details: IsyncErrorDetails = {},
): IsyncError {
  if (error instanceof IsyncError) return error;
  return new IsyncError(fallback, error instanceof Error ? error.message : String(error), {
    ...details,
    cause: error,
  });
}
