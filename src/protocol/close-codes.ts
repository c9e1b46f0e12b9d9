import type { ErrorCode } from '../model/isync-error.ts';

/** Close codes of a session; PROTOCOL.md says who sends them when, and what the other side does then. */
export const CLOSE = {
  NORMAL: 1000,
  GOING_AWAY: 1001,
  TOO_LARGE: 1009,
  PROTOCOL: 4400,
  TOKEN_REVOKED: 4401,
  DEVICE_REFUSED: 4403,
  DEADLINE: 4408,
  FENCED: 4409,
  VERSION: 4426,
  INTERNAL: 4500,
} as const;

export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];

/** The error that a receiver's close code is to a sender. Any other code is a broken link, and retried. */
export function errorCodeOfClose(code: number): ErrorCode {
  switch (code) {
    case CLOSE.PROTOCOL:
    case CLOSE.TOO_LARGE:
    // RFC 6455, 7.4.1: malformed frames, text that is not UTF-8, too many fragments.
    case 1002:
    case 1007:
    case 1008:
      return 'PROTOCOL';
    case CLOSE.TOKEN_REVOKED:
    case CLOSE.DEVICE_REFUSED:
      return 'AUTH_REFUSED';
    case CLOSE.FENCED:
      return 'FENCED';
    case CLOSE.VERSION:
      return 'VERSION_UNSUPPORTED';
    default:
      return 'LINK_LOST';
  }
}
