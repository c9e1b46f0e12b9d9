import { DatabaseSync } from 'node:sqlite';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type CliProcess, until } from '../../harness/process.ts';
import { openPullState } from '../../src/events/state/open-pull-state.ts';
import type { PullState } from '../../src/events/state/pull-state.ts';
import { withoutSqliteWarning } from '../../src/sqlite/sqlite.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { RecordingLog } from '../recording-log.ts';
import { faultOf, keysOf, object } from './state-objects.ts';
import { stateProcess } from './state-of-process.ts';

const log = new RecordingLog();

let file: string;
beforeEach(() => {
  file = join(temporaryFolder(), 'state', 'state.db');
});

const open = (): Promise<PullState> => openPullState(file, { log });

const otherProcess = (code: string): CliProcess => stateProcess(file, code);

describe('one process a state', () => {
  it('refuses a second one, tells which process has it, and lets it in after a kill -9', async () => {
    const other = otherProcess(`console.log('open'); setInterval(() => {}, 1000);`);
    await other.until('the state to be open', () => other.stdout.includes('open'));
    const fault = await faultOf(open());
    expect(fault).toMatchObject({ code: 'FENCED', path: file });
    expect(fault.message).toContain(`process ${other.pid} works with this state`);
    expect(fault.hint).toContain('One process a state');
    await other.kill();
    await using state = await open();
    expect(keysOf(state.list('b', ''))).toEqual([]);
  });

  it('refuses a second one of the same process too, which does not loosen the lock of the first', async () => {
    await using state = await open();
    expect((await faultOf(open())).code).toBe('FENCED');
    const other = otherProcess(`console.log('open')`);
    expect((await other.ended).stderr).toContain('FENCED');
    await state.set(object('a'));
  });

  it('lets exactly one of several in that begin at the same moment', async () => {
    const others = Array.from({ length: 6 }, () =>
      otherProcess(`console.log('open'); process.stdin.resume(); setInterval(() => {}, 1000);`),
    );
    const settled = () => others.filter((other) => other.over || other.stdout.includes('open')).length === 6;
    await until('all of them to be in or refused', settled);
    const inside = others.filter((other) => !other.over);
    for (const other of inside) await other.kill();
    expect(inside).toHaveLength(1);
    for (const other of others.filter((other) => other !== inside[0]))
      expect((await other.ended).stderr).toContain('FENCED');
  });

  it('has every row that was confirmed to a writer killed with -9', async () => {
    const other = otherProcess(`
      let at = 0;
      const write = async () => {
        for (;;) {
          const key = 'k' + at++;
          await state.set(object(key));
          process.stdout.write(key + '\\n');
        }
      };
      for (let writer = 0; writer < 16; writer++) void write();
    `);
    await other.until('many rows', () => other.stdout.split('\n').length > 3000);
    await other.kill();
    const confirmed = other.stdout.split('\n').slice(0, -1);
    await using state = await open();
    const there = new Set(keysOf(state.list('b', '')));
    expect(confirmed.filter((key) => !there.has(key))).toEqual([]);
  });
});

describe('a state file that can not be used', () => {
  const inFolder = (write: () => void): void => {
    mkdirSync(join(file, '..'));
    write();
  };

  it('because it is damaged is told with the cure', async () => {
    inFolder(() => writeFileSync(file, 'no database '.repeat(1000)));
    const fault = await faultOf(open());
    expect(fault).toMatchObject({ code: 'STORE_FAILED', retryable: false, path: file });
    expect(fault.hint).toContain(`mv ${file} ${file}.old`);
  });

  it('because it is of a newer isync is left alone', async () => {
    await (await open())[Symbol.asyncDispose]();
    const db = new DatabaseSync(file);
    db.exec('PRAGMA user_version = 7; PRAGMA journal_mode = DELETE');
    db.close();
    const before = readFileSync(file);
    const fault = await faultOf(open());
    expect(fault.message).toContain('of a newer isync (version 7');
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(fault).toMatchObject({ code: 'STORE_FAILED', retryable: false });
  });

  it('because it is that of another program is left alone', async () => {
    inFolder(() => {
      const db = new DatabaseSync(file);
      db.exec('CREATE TABLE other (a)');
      db.close();
    });
    const before = readFileSync(file);
    expect((await faultOf(open())).message).toContain('of another program');
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('because its maker was killed at once is made again', async () => {
    inFolder(() => {
      const db = new DatabaseSync(file);
      db.exec('PRAGMA journal_mode = WAL');
      db.close();
    });
    await using state = await open();
    await state.set(object('a'));
    expect(keysOf(state.list('b', ''))).toEqual(['a']);
  });

  it('because nothing is above its folder is STORE_MISSING', async () => {
    file = join(file, '../../none/state/state.db');
    expect((await faultOf(open())).code).toBe('STORE_MISSING');
    expect(existsSync(file)).toBe(false);
  });

  it('any more, once it is closed, refuses what is asked of it', async () => {
    const state = await open();
    const last = state.set(object('a'));
    await state[Symbol.asyncDispose]();
    await last;
    expect(() => state.get('b', 'a')).toThrow('closed');
    expect((await faultOf(state.set(object('b')))).message).toContain('closed');
  });
});

it('keeps back the one warning that SQLite is experimental', async () => {
  const told: string[] = [];
  const listen = (warning: Error): void => void told.push(warning.message);
  process.on('warning', listen);
  try {
    await withoutSqliteWarning(async () => {
      process.emitWarning(
        'SQLite is an experimental feature and might change at any time',
        'ExperimentalWarning',
      );
      process.emitWarning('something else', 'ExperimentalWarning');
    });
    const last = once(process, 'warning');
    process.emitWarning('SQLite is old', 'DeprecationWarning');
    await last;
    expect(told).toEqual(['something else', 'SQLite is old']);
  } finally {
    process.off('warning', listen);
  }
});
