import { IsyncError } from '../model/isync-error.ts';

/** The other side broke a rule of PROTOCOL.md: the session is closed with 4400. */
export function brokenRule(what: string): IsyncError {
  return new IsyncError('PROTOCOL', what);
}
