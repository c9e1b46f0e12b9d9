import { isErrorCode, IsyncError, toIsyncError } from './isync-error.ts';

/** An IsyncError on its way between threads, where it would lose its class and fields. */
export interface ToldError {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly path: string | undefined;
  readonly hint: string | undefined;
  readonly cause: string | undefined;
}

export function toldError(thrown: unknown): ToldError {
  const { code, message, retryable, path, hint, cause } = toIsyncError(thrown, 'INTERNAL');
  return { code, message, retryable, path, hint, cause: cause instanceof Error ? cause.message : undefined };
}

export function errorFrom({ code, message, cause, ...details }: ToldError): IsyncError {
  return new IsyncError(isErrorCode(code) ? code : 'INTERNAL', message, {
    ...details,
    ...(cause !== undefined && { cause: new Error(cause) }),
  });
}
