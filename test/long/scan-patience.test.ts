import { appendFileSync, existsSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { scan } from '../../src/sender/scan/scan.ts';
import { follow, isMarked, optionsFor, setup } from '../sender/scan-fixture.ts';

/** What a scan does only once it has waited for seconds. */

test('a file that changes all the time does not keep --once from its end', async () => {
  const { root, target, write, at, kept } = setup();
  write('DC1/a');
  write('DC1/growing');
  const timer = setInterval(() => appendFileSync(at('DC1/growing'), 'x'), 5);
  onTestFinished(() => clearInterval(timer));
  const { options, log } = optionsFor(root, target, { settleMs: 500 });
  const { failure } = await scan(options);
  expect(failure).toBeUndefined();
  expect(await kept('DC1/a')).toBeDefined();
  expect(log.messages).toContain('not sent: it changes all the time');
});

test('files that change all the time do not keep other directories waiting', async () => {
  const { root, target, write, at } = setup();
  const names = Array.from({ length: 33 }, (_, n) => `DC${100 + n}`);
  for (const name of names) {
    write(`${name}/growing`);
    write(`${name}/finished.parse`);
  }
  const grow = (): void => names.forEach((name) => appendFileSync(at(`${name}/growing`), 'x'));
  const timer = setInterval(grow, 5);
  onTestFinished(() => clearInterval(timer));
  const begun = new Set<string>();
  const { observer } = optionsFor(root, target).options;
  const directory = (name: string): void => void begun.add(name);
  follow(root, target, { settleMs: 200, observer: { ...observer, directory } });
  await vi.waitFor(() => expect(begun.size).toBe(names.length), 60_000);
  write('DC900/a');
  write('DC900/finished.parse');
  await vi.waitFor(() => expect(existsSync(at('DC900/finished.watch'))).toBe(true), 200_000);
});

test('a directory that is neither closed nor the newest is listed in its turn where there are more than may be watched', async () => {
  const { root, target, at, write } = setup();
  for (const name of ['cam1', 'cam2', 'cam3']) write(`${name}/first`);
  const { log } = follow(root, target, { newest: 'name', quietMs: 60_000, maxWatched: 2 });
  for (const name of ['cam1', 'cam2', 'cam3'])
    await vi.waitFor(() => expect(isMarked(at(`${name}/first`))).toBe(true), 60_000);
  expect(log.messages.filter((note) => note === 'watching')).toHaveLength(2);
  write('cam1/second');
  await vi.waitFor(() => expect(isMarked(at('cam1/second'))).toBe(true), 120_000);
});
