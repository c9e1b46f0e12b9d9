import { expect, it } from 'vitest';
import { bearerToken } from '../../src/access/bearer-token.ts';

it.each(['Bearer isync_x', 'bearer   isync_x', 'BEARER isync_x '])('%j has a token', (header) => {
  expect(bearerToken(header)).toBe('isync_x');
});

it.each([undefined, '', 'Bearer', 'Bearer ', 'isync_x', 'Basic isync_x', 'Bearer a b', 'xBearer isync_x'])(
  '%j has none',
  (header) => expect(bearerToken(header)).toBeUndefined(),
);
