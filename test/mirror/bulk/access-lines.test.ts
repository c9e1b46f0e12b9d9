import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { noAccessLines, readAccessLog } from '../../../src/mirror/bulk/access-lines.ts';
import { ByPrefix } from '../../../src/mirror/bulk/by-prefix.ts';

const SINCE = Date.parse('2026-01-01T00:00:00Z');

async function read(log: string | Buffer) {
  const folder = mkdtempSync(join(tmpdir(), 'isync-test-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'mirror.log');
  writeFileSync(path, log);
  const told = noAccessLines();
  const byPrefix = new ByPrefix(1);
  await readAccessLog(path, { sinceMs: SINCE, byPrefix, signal: new AbortController().signal }, told);
  return { told, prefixes: byPrefix.report().map(({ prefix, lastMs }) => [prefix, lastMs]) };
}

const line = (fields: object): string =>
  `${JSON.stringify({ msg: 'request', key: 'a/b', status: 200, outcome: 'MISS', time: '2026-02-01T00:00:00Z', ...fields })}\n`;

it('counts what a broken log still tells', async () => {
  const torn = line({}).slice(0, -20);
  const log = [
    line({}),
    '\0'.repeat(200_000),
    '\n',
    'no JSON\n',
    '[]\nnull\n"x"\n',
    line({ key: 5 }),
    line({}),
    torn,
  ];
  const { told, prefixes } = await read(log.join(''));
  expect(told).toMatchObject({ requests: 2, asked: 2, unreadable: 6 });
  expect(prefixes).toEqual([['a/', Date.parse('2026-02-01T00:00:00Z')]]);
});

it.each([1e300, -1e300, 'nonsense', null, '+999999-01-01T00:00:00Z'])(
  'leaves out a time that is none: %s',
  async (time) => {
    const { told, prefixes } = await read(line({ time }));
    expect([told.requests, prefixes]).toEqual([0, []]);
  },
);

it('counts what the server has left out, as far as that is a number', async () => {
  const { told } = await read(line({ unsaid: 3 }) + line({ unsaid: 1e308 }) + line({ unsaid: -1.5 }));
  expect(told.unsaid).toBe(3);
});
