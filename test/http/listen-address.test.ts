import { expect, it } from 'vitest';
import { isLoopback, listenError } from '../../src/http/listen-address.ts';

it.each(['127.0.0.1', '127.9.9.9', 'localhost', '::1', '[::1]', '::ffff:127.0.0.1', '[::ffff:7f00:1]'])(
  '%s is this machine',
  (host) => expect(isLoopback(host)).toBe(true),
);

it.each(['0.0.0.0', '::', '[::]', '', '[]', '127.0.0.1.example.org', 'localhost.example.org', '10.0.0.1'])(
  '"%s" may be another machine',
  (host) => expect(isLoopback(host)).toBe(false),
);

it.each([
  ['EACCES', 'not permitted', 'CAP_NET_BIND_SERVICE'],
  ['EADDRINUSE', 'the port is taken', 'choose another one'],
  ['EADDRNOTAVAIL', 'no such address', '0.0.0.0'],
])('%s says what the port or the address lacks', (code, why, cure) => {
  const failed = Object.assign(new Error('listen'), { code });
  expect(listenError(failed, { host: '127.0.0.1', port: 80 })).toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(`127.0.0.1:80: .*${why}`),
    hint: expect.stringContaining(cure),
  });
});
