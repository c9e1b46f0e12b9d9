/** Directories that nobody closes: many may be in use at a time, and the newest is not the only one. */
import { closeSync, openSync, utimesSync, writeSync } from 'node:fs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { IgnoreSetting } from '../../src/scanner/ignore-setting.ts';
import { scan } from '../../src/sender/scan/scan.ts';
import { follow, isMarked, OLD_SECONDS, optionsFor, setup } from './scan-fixture.ts';

/** Everything of DC1 was written long ago, and DC2 is newer. */
function oldSetup(files: readonly string[]) {
  const fixture = setup();
  for (const file of files) fixture.write(`DC1/${file}`);
  fixture.write('DC1/.keep');
  fixture.write('DC2/newer');
  for (const file of [...files, '.keep']) utimesSync(fixture.at(`DC1/${file}`), OLD_SECONDS, OLD_SECONDS);
  utimesSync(fixture.at('DC1'), OLD_SECONDS, OLD_SECONDS);
  return fixture;
}

const LONG = { newest: 'name', quietMs: 60_000 } as const;
const SHORT = { newest: 'name', quietMs: 50 } as const;

describe('a directory that is neither closed nor the newest', () => {
  test('is sealed once nothing has changed in it for long', async () => {
    const { root, target } = oldSetup(['a']);
    const { options, sealed } = optionsFor(root, target, SHORT);
    await scan(options);
    expect(sealed).toEqual(['DC1']);
  });

  test('is left for the next run where it was written to lately, and that is said', async () => {
    const { root, target, write, kept } = oldSetup(['a']);
    write('DC1/lately');
    const { options, sealed, log } = optionsFor(root, target, LONG);
    const { summary } = await scan(options);
    expect({ sealed, problems: summary.problemCount }).toEqual({ sealed: [], problems: 0 });
    expect(log.messages).toContain('left unsealed: it was written to lately');
    expect(await kept('DC1/lately')).toBeDefined();
  });

  test('is not sealed while it is empty', async () => {
    const { root, target, write } = setup();
    write('DC1/x.tmp');
    write('DC2/b');
    const { options, sealed } = optionsFor(root, target, { ...SHORT, ignore: new IgnoreSetting([]) });
    await scan({ ...options, ignore: new IgnoreSetting(['*.tmp']) });
    expect(sealed).toEqual([]);
  });

  test('is not sealed while a file in it is in progress by its name', async () => {
    const { root, target } = oldSetup(['a', 'b.part']);
    const { options, sealed, log } = optionsFor(root, target, SHORT);
    await scan(options);
    expect(sealed).toEqual([]);
    expect(log.messages).toContain('left unsealed: a file in it is in progress');
  });

  test('is not sealed while a writer has a file of it open', async () => {
    const { root, target, at } = oldSetup(['capture']);
    const file = openSync(at('DC1/capture'), 'a');
    const told = optionsFor(root, target, SHORT);
    await scan(told.options);
    expect(told.sealed).toEqual([]);
    expect(told.log.messages).toContain('left unsealed: a file in it is open for writing');
    closeSync(file);
    const later = optionsFor(root, target, SHORT);
    await scan(later.options);
    expect(later.sealed).toEqual(['DC1']);
  });

  test('is not sealed on the word of a time in the future', async () => {
    const { root, target, at } = oldSetup(['a', 'ahead']);
    const ahead = Date.now() / 1000 + 3600;
    utimesSync(at('DC1/ahead'), ahead, ahead);
    const { options, sealed, log } = optionsFor(root, target, LONG);
    await scan(options);
    expect(sealed).toEqual([]);
    expect(log.messages).toContain('left unsealed: a time in it lies in the future');
  });

  test('is watched like the newest: what a writer adds is sent at once', async () => {
    const { root, target, at, write, kept } = setup();
    for (const name of ['cam1', 'cam2', 'cam3']) write(`${name}/first`);
    const { log } = follow(root, target, LONG);
    await vi.waitFor(
      () => expect(log.messages.filter((note) => note === 'watching')).toHaveLength(3),
      60_000,
    );
    await vi.waitFor(() => expect(isMarked(at('cam1/first'))).toBe(true), 60_000);
    const file = openSync(at('cam1/first'), 'a');
    onTestFinished(() => closeSync(file));
    writeSync(file, ' and more');
    write('cam2/second');
    await vi.waitFor(async () => expect(await kept('cam2/second')).toBeDefined(), 60_000);
    await vi.waitFor(async () => expect(await kept('cam1/first')).toBe('cam1/first and more'.length), 60_000);
  });
});

test('that inotifywait is missing is told once, however many directories are watched', async () => {
  vi.stubEnv('PATH', '/nowhere');
  onTestFinished(() => void vi.unstubAllEnvs());
  const { root, target, write } = setup();
  for (const name of ['DC1', 'DC2', 'DC3']) write(`${name}/a`);
  const { log } = follow(root, target, { complete: 'auto', quietMs: 60_000 });
  await vi.waitFor(
    () => expect(log.messages.filter((message) => message === 'watching')).toHaveLength(3),
    60_000,
  );
  expect(log.messages.filter((message) => message.startsWith('inotifywait'))).toHaveLength(1);
});
