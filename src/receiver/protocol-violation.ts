import { IsyncError } from '../model/isync-error.ts';

/** The error for a peer that broke a rule of PROTOCOL.md: its session is closed with 4400. */
export function protocolViolation(what: string): IsyncError {
  return new IsyncError('PROTOCOL', what);
}
