import { describe, expect, it } from 'vitest';
import { linesOf } from '../../../src/cli/doctor/check.ts';
import { checkClock } from '../../../src/cli/doctor/clock.ts';
import { checkCloseWrite, checkInotify } from '../../../src/cli/doctor/inotify.ts';
import { checkRoomAt } from '../../../src/cli/doctor/store-folder.ts';
import { filesOfReceiver, openFilesFault } from '../../../src/cli/open-files.ts';
import { IsyncError } from '../../../src/model/isync-error.ts';

const MINUTE_MS = 60_000;

describe('a check', () => {
  it('is a line, and one more for its cure; nobody rewrites the screen with a name', () => {
    const check = {
      name: 'root',
      level: 'fail',
      message: '\u001b[2J',
      code: 'READ_ONLY',
      hint: 'do',
    } as const;
    expect(linesOf(check)).toEqual(['fail  root: \\x1b[2J [READ_ONLY]', '      do']);
    expect(linesOf({ name: 'port', level: 'ok', message: 'is free' })).toEqual(['ok    port: is free']);
  });
});

describe('clocks', () => {
  it.each([
    [undefined, 'ok', 'does not tell the time'],
    [4_000, 'ok', 'agrees'],
    [-90_000, 'warn', 'is 90 s behind'],
    [17 * MINUTE_MS, 'warn', 'is 17 minutes ahead of'],
    [-3 * 60 * MINUTE_MS, 'warn', 'is 3 hours behind'],
    [72 * 60 * MINUTE_MS, 'warn', 'is 3 days ahead of'],
  ])('that differ by %s ms are %s', (aheadMs, level, says) => {
    const check = checkClock(aheadMs, 'the receiver');
    expect(check.level).toBe(level);
    expect(check.message).toContain(says);
  });
});

describe('inotify', () => {
  const needs = { folders: 100, directories: 64, isTwice: true };

  it.each([
    [{ watches: 201, instances: 65 }, 'ok'],
    [{ watches: 200, instances: 65 }, 'warn'],
    [{ watches: 201, instances: 64 }, 'warn'],
    [{ watches: undefined, instances: undefined }, 'ok'],
  ])('with %j for 64 directories of 100 folders, watched twice, is %s', (limits, level) => {
    expect(checkInotify(limits, needs).level).toBe(level);
  });

  it('without inotifywait needs half of it', () => {
    expect(checkInotify({ watches: 101, instances: 1 }, { ...needs, isTwice: false }).level).toBe('ok');
  });
});

describe('an inotifywait that is missing', () => {
  const fault = new IsyncError('CONFIG_INVALID', 'inotifywait is not installed', { hint: 'Install it.' });

  it.each([
    ['auto', 'warn'],
    ['close-write', 'fail'],
    ['settle', 'ok'],
  ] as const)('is with --complete %s: %s', (complete, level) => {
    expect(checkCloseWrite(complete, fault).level).toBe(level);
    expect(checkCloseWrite(complete, undefined).level).toBe('ok');
  });
});

describe('open files', () => {
  it('are too few below what is needed', () => {
    expect(openFilesFault(255, 256)?.hint).toContain('LimitNOFILE=');
    expect(openFilesFault(256, 256)).toBeUndefined();
    expect(openFilesFault(undefined, 256)).toBeUndefined();
    expect(openFilesFault(Infinity, 256)).toBeUndefined();
  });

  it('of a receiver grow with its connections, and those by default are below the usual LimitNOFILE', () => {
    expect(filesOfReceiver({ maxConnections: 1000 })).toBeGreaterThan(
      filesOfReceiver({ maxConnections: 10 }),
    );
    expect(filesOfReceiver({ maxConnections: undefined })).toBeLessThan(16_384);
  });
});

it('a receiver without a free byte is full', () => {
  expect(checkRoomAt(undefined).level).toBe('ok');
  expect(checkRoomAt(1).level).toBe('ok');
  expect(checkRoomAt(0)).toMatchObject({ level: 'fail', code: 'STORE_FULL' });
});
