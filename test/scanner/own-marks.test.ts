import { lstatSync, utimesSync } from 'node:fs';
import type * as nodeFs from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { markFile } from '../../src/scanner/mark.ts';
import { lookAt } from '../../src/scanner/look-at.ts';
import { OwnMarks } from '../../src/scanner/own-marks.ts';
import { LONG_AGO, makeRoot, rel, seen, write } from './support.ts';

const PATH = rel('DC1/a');
const looks = vi.hoisted(() => ({ count: 0 }));

vi.mock('node:fs', async (importActual) => {
  const fs = await importActual<typeof nodeFs>();
  return {
    ...fs,
    lstatSync: (...given: Parameters<typeof fs.lstatSync>) => {
      looks.count++;
      return fs.lstatSync(...given);
    },
  };
});

afterEach(() => vi.useRealTimers());

async function marked() {
  const root = makeRoot();
  write(root, PATH, 'content');
  utimesSync(`${root}/${PATH}`, LONG_AGO, LONG_AGO);
  const result = await markFile(root, PATH, seen(root, PATH));
  if (result.outcome !== 'marked') throw new Error(result.outcome);
  const { identity } = result;
  vi.useFakeTimers({ toFake: ['Date'], now: identity.ctimeMs + 1 });
  return { file: `${root}/${PATH}`, identity };
}

function looksOf(file: string, own: OwnMarks): number {
  looks.count = 0;
  lookAt(file, own.has);
  return looks.count;
}

test('a mark of our own needs one look, once the tick of the clock is over', async () => {
  const { file, identity } = await marked();
  const own = new OwnMarks();
  own.add(identity);
  expect(looksOf(file, own)).toBe(2);
  vi.setSystemTime(identity.ctimeMs + 1000);
  expect(looksOf(file, own)).toBe(1);
  expect(own.has(Object.assign(lstatSync(file), { ctimeMs: identity.ctimeMs + 0.25 }))).toBe(false);
});

test('a mark by another clock is looked at twice', async () => {
  const { file, identity } = await marked();
  const own = new OwnMarks();
  vi.setSystemTime(identity.ctimeMs + 5000);
  own.add(identity);
  vi.setSystemTime(identity.ctimeMs + 10_000);
  expect(looksOf(file, own)).toBe(2);
});

test('the latest marks are known, however many there are', () => {
  const own = new OwnMarks();
  const now = 1_700_000_000_000.5;
  vi.useFakeTimers({ toFake: ['Date'], now });
  const identity = { dev: 1, size: 1, mtimeMs: 1, ctimeMs: now };
  for (let ino = 0; ino < 200_000; ino++) own.add({ ...identity, ino });
  vi.setSystemTime(now + 1000);
  const stats = lstatSync('/');
  const has = (ino: number): boolean => own.has(Object.assign(stats, { ino, ctimeMs: now }));
  expect(has(199_999)).toBe(true);
  expect(has(140_000)).toBe(true);
  expect(has(0)).toBe(false);
});
