import { expect, it } from 'vitest';
import { isLoopback } from '../../src/http/listen-address.ts';

it.each(['127.0.0.1', '127.9.9.9', 'localhost', '::1', '[::1]', '::ffff:127.0.0.1', '[::ffff:7f00:1]'])(
  '%s is this machine',
  (host) => expect(isLoopback(host)).toBe(true),
);

it.each(['0.0.0.0', '::', '[::]', '', '[]', '127.0.0.1.example.org', 'localhost.example.org', '10.0.0.1'])(
  '"%s" may be another machine',
  (host) => expect(isLoopback(host)).toBe(false),
);
