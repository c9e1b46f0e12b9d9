import { describe, expect, it } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import { createLog } from '../../src/observe/log.ts';
import { logLine } from '../../src/observe/log-line.ts';
import { printable } from '../../src/observe/printable.ts';
import { progressText, RateMeter } from '../../src/observe/progress.ts';
import { TimeLeft } from '../../src/observe/time-left.ts';
import { StatusLine } from '../../src/observe/status-line.ts';
import { formatBytes, formatCount, formatRate, formatSeconds } from '../../src/observe/units.ts';

function terminal(columns: number): { written: string[]; line: StatusLine } {
  const written: string[] = [];
  return { written, line: new StatusLine({ columns, write: (text: string) => written.push(text) }) };
}

describe('units', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [3_565_158, '3.4 MiB'],
    [1_048_575, '1.0 MiB'],
    [2 ** 40, '1.0 TiB'],
    [2 ** 53, '8.0 PiB'],
  ])('shows %d bytes as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0, '0s'],
    [59.4, '59s'],
    [59.6, '1m00s'],
    [125, '2m05s'],
    [3720, '1h02m'],
    [273_600, '3d04h'],
    [-1, '0s'],
  ])('shows %d seconds as %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

  it('shows rates and counts', () => {
    expect(formatRate(1536.4)).toBe('1.5 KiB/s');
    expect(formatCount(1, 'file')).toBe('1 file');
    expect(formatCount(12_345, 'file')).toBe('12,345 files');
    expect(formatCount(0, 'directory', 'directories')).toBe('0 directories');
  });
});

describe('names on a terminal', () => {
  it('can neither break the line nor command the terminal', () => {
    expect(printable('a\nb\u001b[31mc\u0085\u202edä€😀')).toBe('a\\x0ab\\x1b[31mc\\x85\\u202edä€😀');
  });
});

describe('the status line', () => {
  it('is rewritten in place, cut to the width, and only when it changed', () => {
    const { written, line } = terminal(6);
    line.set('abcdefgh');
    line.set('abcdexyz');
    line.set('b');
    expect(written).toEqual(['\r\u001b[Kabcd…', '\r\u001b[Kb']);
  });

  it('takes a terminal of unknown width for a usual one', () => {
    const { written, line } = terminal(0);
    line.set('x'.repeat(200));
    expect(written).toEqual([`\r\u001b[K${'x'.repeat(78)}…`]);
  });

  it('stays below lines that are printed, and goes away', () => {
    const { written, line } = terminal(80);
    line.print('before');
    line.set('status');
    line.print('log');
    line.set('');
    line.print('after');
    expect(written).toEqual([
      'before\n',
      '\r\u001b[Kstatus',
      '\r\u001b[Klog\nstatus',
      '\r\u001b[K',
      'after\n',
    ]);
  });
});

describe('progress', () => {
  it('shows the part and the time left only where they are known', () => {
    const done = { files: 2, bytes: 1024 };
    expect(progressText({ files: 1, bytes: 512 }, 0, undefined)).toBe('1 file, 512 B, 0 B/s');
    expect(progressText({ ...done, part: { done: 1024, total: 11_264 }, directoriesLeft: 1 }, 1024, 10)).toBe(
      '9% of 11.0 KiB, 2 files, 1.0 KiB, 1.0 KiB/s, 10s left, 1 directory left',
    );
    expect(progressText({ ...done, part: { done: 100, total: 100 } }, 5, undefined)).not.toContain('%');
    expect(progressText({ ...done, part: { done: 9_999, total: 10_000 } }, 5, undefined)).toContain('99% of');
  });

  it('shows the file on its way as text, and what it waits for', () => {
    const state = { files: 2, bytes: 10, part: { done: 10, total: 100 }, current: 'DC1/a\u001b[2J' };
    expect(progressText(state, 5, undefined)).toBe('10% of 100 B, 2 files, 10 B, 5 B/s: DC1/a\\x1b[2J');
    expect(progressText({ ...state, activity: 'target full' }, 0, 9)).toBe(
      'target full, 10% of 100 B, 2 files, 10 B, 0 B/s: DC1/a\\x1b[2J',
    );
    expect(progressText({ files: 2, bytes: 10, activity: 'idle' }, 0, undefined)).toBe('idle, 2 files, 10 B');
  });

  it('estimates the time left only once something has moved for a while', () => {
    const left = new TimeLeft();
    const at = (second: number, done: number) => left.sample(second * 1000, { done, total: 1000 });
    expect(at(0, 0)).toBeUndefined();
    expect(at(9, 90)).toBeUndefined();
    expect(at(10, 100)).toBe(90);
    // Nothing is being done; then something else is.
    expect(left.sample(11_000, undefined)).toBeUndefined();
    expect(at(12, 100)).toBeUndefined();
    expect(at(30, 100)).toBeUndefined();
    expect(at(32, 200)).toBeCloseTo(160);
  });

  it('estimates by the last minute', () => {
    const left = new TimeLeft();
    let told: number | undefined;
    for (let second = 0; second <= 100; second++)
      told = left.sample(second * 1000, { done: 10_000 + Math.max(0, second - 30) * 10, total: 20_000 });
    expect(told).toBeCloseTo((20_000 - 10_700) / 10);
  });

  it('smooths the rate', () => {
    const meter = new RateMeter(0, 0);
    expect(meter.sample(1000, 1000)).toBe(1000);
    expect(meter.sample(2000, 1000)).toBe(900);
    expect(meter.sample(2000, 5000)).toBe(900);
  });
});

describe('a line of log on a terminal', () => {
  it('has time, level, message and fields', () => {
    const time = new Date(2024, 0, 2, 3, 4, 5).toISOString();
    const json = JSON.stringify({ level: 'warn', time, path: 'DC1/a\nb', count: 3, msg: 'left alone' });
    expect(logLine(`${json}\n`)).toBe('03:04:05 warn  left alone path=DC1/a\\x0ab count=3');
  });

  it('shows what an error without a stack says below', () => {
    const err = { code: 'UNREACHABLE', message: 'no answer', hint: 'Check the network.' };
    const json = JSON.stringify({ level: 'warn', msg: 'trying again', err });
    expect(logLine(json)).toMatch(/trying again\n {2}no answer \[UNREACHABLE\]\n {2}Check the network\.$/);
  });

  it('shows the stack of an error below', () => {
    const json = JSON.stringify({ level: 'error', msg: 'bug', err: { stack: 'Error: x\n    at y' } });
    expect(logLine(json)).toBe('--:--:-- error bug\n  Error: x\n      at y');
  });

  it('is shown as it is when it is none', () => {
    expect(logLine('plain\n')).toBe('plain');
    expect(logLine('[1]')).toBe('[1]');
  });
});

describe('an error in a log', () => {
  /** The `err` of a line. */
  function told(err: unknown): unknown {
    const { written, line } = terminal(80);
    createLog('info', line, 'json').info('failed', { err });
    return (JSON.parse(written.join('')) as { err: unknown }).err;
  }

  it('is told with its stack, those that caused it, and what else it says', () => {
    const cause = Object.assign(new TypeError('inner'), { code: 'EIO', errno: -5, more: { left: 'out' } });
    expect(told(new RangeError('outer', { cause }))).toEqual({
      type: 'RangeError',
      message: 'outer: inner',
      stack: expect.stringMatching(/^RangeError: outer\n[^]*\ncaused by: TypeError: inner\n/),
    });
    expect(told(cause)).toMatchObject({ type: 'TypeError', code: 'EIO', errno: -5 });
    expect(told(cause)).not.toHaveProperty('more');
    expect(told(new AggregateError([cause, 'text'], 'both'))).toMatchObject({
      type: 'AggregateError',
      aggregateErrors: [{ message: 'inner' }, 'text'],
    });
  });

  it('that is its own cause ends', () => {
    const error = new Error('round');
    error.cause = error;
    expect(told(error)).toMatchObject({ type: 'Error' });
  });

  it('of a person or a link needs no stack', () => {
    const error = new IsyncError('UNREACHABLE', 'no answer', { hint: 'Check it.' });
    expect(told(error)).toEqual({
      type: 'IsyncError',
      code: 'UNREACHABLE',
      message: 'no answer',
      hint: 'Check it.',
    });
    expect(told('just a text')).toBe('just a text');
  });
});

describe('a log with fields', () => {
  it('tells what JSON has no words for', () => {
    const { written, line } = terminal(80);
    const round: Record<string, unknown> = { name: 'x' };
    round['self'] = round;
    createLog('info', line, 'json').info('odd', { round, big: 2n, text: 'as it is' });
    const record = JSON.parse(written.join('')) as Record<string, unknown>;
    expect(record).toMatchObject({ level: 'info', msg: 'odd', text: 'as it is', big: '2n' });
    expect(record['round']).toContain('Circular');
  });

  it('keeps their order, that of an error too', () => {
    const { written, line } = terminal(80);
    const err = new IsyncError('ROOT_MISSING', 'none');
    createLog('info', line, 'json').with({ root: '/a' }).warn('waits', { err, seconds: 5 });
    expect(Object.keys(JSON.parse(written.join('')) as object).slice(2)).toEqual([
      'root',
      'err',
      'seconds',
      'msg',
    ]);
  });

  it('brings them in each line, where the line names no other, and leaves the first log as it was', () => {
    const { written, line } = terminal(80);
    const log = createLog('info', line);
    const ofDevice = log.with({ device: 'edge1', path: 'DC1' });
    ofDevice.with({ session: 's' }).info('opened', { path: 'DC2' });
    ofDevice.debug('not shown');
    log.info('plain');
    const shown = written.map((text) => text.replace(/^\S+ /, ''));
    expect(shown).toEqual(['info  opened device=edge1 path=DC2 session=s\n', 'info  plain\n']);
  });
});
