import { expect, it } from 'vitest';
import { CLOSE, errorCodeOfClose } from '../../src/protocol/close-codes.ts';

it.each([
  [CLOSE.NORMAL, 'LINK_LOST'],
  [CLOSE.GOING_AWAY, 'LINK_LOST'],
  [1002, 'PROTOCOL'],
  [1006, 'LINK_LOST'],
  [1007, 'PROTOCOL'],
  [1008, 'PROTOCOL'],
  [CLOSE.TOO_LARGE, 'PROTOCOL'],
  [CLOSE.PROTOCOL, 'PROTOCOL'],
  [CLOSE.TOKEN_REVOKED, 'AUTH_REFUSED'],
  [CLOSE.DEVICE_REFUSED, 'AUTH_REFUSED'],
  [CLOSE.DEADLINE, 'LINK_LOST'],
  [CLOSE.FENCED, 'FENCED'],
  [CLOSE.VERSION, 'VERSION_UNSUPPORTED'],
  [CLOSE.INTERNAL, 'LINK_LOST'],
  [4999, 'LINK_LOST'],
])('a sender takes the close code %i for %s', (code, expected) => {
  expect(errorCodeOfClose(code)).toBe(expected);
});
