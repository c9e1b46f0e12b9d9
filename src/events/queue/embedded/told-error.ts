import { isErrorCode, IsyncError, toIsyncError } from '../../../model/isync-error.ts';
import type { ToldError } from './commands.ts';

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
