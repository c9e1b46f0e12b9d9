import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { certificateFacts, certificateFault } from '../../src/http/certificate.ts';
import { lacks } from '../../harness/tools.ts';

const DAY_MS = 86_400_000;
const FACTS = { names: ['a.example'], validFromMs: 0, validToMs: 90 * DAY_MS };

it.each([
  ['before its time', FACTS, -1, true],
  ['in its time', FACTS, DAY_MS, undefined],
  ['14 days before its end', FACTS, 76 * DAY_MS, undefined],
  ['later than that', FACTS, 76 * DAY_MS + 1, false],
  ['after its end', FACTS, 90 * DAY_MS + 1, true],
  ['without a name', { ...FACTS, names: [] }, DAY_MS, true],
])('a certificate %s: refused %4$s', (_, facts, nowMs, isRefused) => {
  expect(certificateFault(facts, nowMs)?.isRefused).toBe(isRefused);
});

it.skipIf(lacks('openssl'))('tells names and times of one that openssl has made', () => {
  const names = 'subjectAltName=DNS:a.example,IP:10.0.0.1';
  const make = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -days 30 -subj /CN=x -addext ${names}`;
  const facts = certificateFacts(
    execFileSync('openssl', make.split(' '), { stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  expect(facts?.names).toEqual(['a.example', '10.0.0.1']);
  expect((facts?.validToMs ?? 0) - (facts?.validFromMs ?? 0)).toBe(30 * DAY_MS);
});

it('what is no certificate has none', () => {
  expect(certificateFacts('nonsense')).toBeUndefined();
});
