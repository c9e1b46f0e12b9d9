import { factsOf, type ErrorCode } from './error-table.ts';

export { isErrorCode, type ErrorCode } from './error-table.ts';

export interface IsyncErrorDetails {
  /** Whether trying again may help; where it differs from what the table says of the code. */
  readonly retryable?: boolean | undefined;
  /** The path concerned, for people to read; not necessarily a RelPath. */
  readonly path?: string | undefined;
  /** What the user can do about it, as a sentence; where it is closer to the matter than the table's cure. */
  readonly hint?: string | undefined;
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
    const { retryable = false, cure, isHint = false } = factsOf(code);
    this.retryable = details.retryable ?? retryable;
    this.path = details.path;
    this.hint = details.hint ?? (isHint ? cure : undefined);
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
