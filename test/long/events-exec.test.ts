import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startNode, until } from '../../harness/process.ts';
import { childEnvironment } from '../../src/exec/child-environment.ts';
import { ExecRunner } from '../../src/events/exec/exec-runner.ts';
import { openPullState } from '../../src/events/state/open-pull-state.ts';
import type { PullState } from '../../src/events/state/pull-state.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { RecordingLog } from '../recording-log.ts';

let folder: string;
let told: string;
let log: RecordingLog;
let state: PullState;
const runners: ExecRunner[] = [];
beforeEach(async () => {
  folder = temporaryFolder();
  told = join(folder, 'told');
  log = new RecordingLog();
  state = await openPullState(join(folder, 'state', 'state.db'), { log });
});
afterEach(async () => {
  for (const runner of runners.splice(0)) await runner.close();
  await state[Symbol.asyncDispose]();
});

/** Runs a script of sh with what the runner tells on its stdin. */
function runner(script: string, delayMs = 5, closeWithinMs?: number, signal?: AbortSignal): ExecRunner {
  const made = new ExecRunner({
    command: ['sh', '-c', script, 'sh', told],
    delayMs,
    state,
    log,
    closeWithinMs,
    signal,
  });
  runners.push(made);
  return made;
}

/** Adds its stdin to the file `told`, with a line for each run. */
const TELL = 'cat >> "$1"; echo >> "$1"';

/** The paths of each run so far. */
const runs = (): string[][] =>
  existsSync(told)
    ? readFileSync(told, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((run) => run.split('\0').slice(0, -1))
    : [];

const owed = (): string[] => state.owed(99).map(({ path }) => path);

describe('a command after changes', () => {
  it('gets all paths that changed, with a NUL behind each, and is owed nothing then', async () => {
    // Longer than two commits of a slow disk.
    const exec = runner(TELL, 2000);
    await exec.owe(['/srv/a b', '/srv/ä']);
    await exec.owe(['/srv/c', '/srv/a b']);
    expect(owed()).toHaveLength(3);
    await until('nothing is owed', () => owed().length === 0);
    expect(runs().flat()).toEqual(['/srv/ä', '/srv/c', '/srv/a b']);
    expect(exec.counts).toEqual({ runs: 1, failures: 0 });
  });

  it('runs once for what changes in quick succession', async () => {
    const exec = runner(TELL, 1000);
    await Promise.all(Array.from({ length: 20 }, (_, at) => exec.owe([`/srv/${at}`])));
    await until('nothing is owed', () => owed().length === 0);
    expect(runs()).toHaveLength(1);
  });

  it('runs also where changes never pause', async () => {
    const exec = runner(TELL, 100);
    let at = 0;
    const steady = setInterval(() => void exec.owe([`/srv/${at++}`]), 10);
    try {
      await until('a run', () => runs().length > 0);
    } finally {
      clearInterval(steady);
    }
    expect(at).toBeGreaterThan(1);
  });

  it('runs one at a time, and again for what changed meanwhile, also the same path', async () => {
    const go = join(folder, 'go');
    const exec = runner(
      `mkdir "$1.lock" || exit 9; while [ ! -e ${go} ]; do sleep 0.02; done; ${TELL}; rmdir "$1.lock"`,
    );
    await exec.owe(['/srv/a']);
    await until('the command to run', () => existsSync(`${told}.lock`));
    await exec.owe(['/srv/a', '/srv/b']);
    writeFileSync(go, '');
    await until('nothing is owed', () => owed().length === 0);
    expect(runs()).toEqual([['/srv/a'], ['/srv/a', '/srv/b']]);
    expect(exec.counts).toEqual({ runs: 2, failures: 0 });
  });

  it('that fails is repeated with what changed since, and counted', async () => {
    const exec = runner(`[ -e ${join(folder, 'ok')} ] || { echo no >&2; exit 3; }; ${TELL}`);
    await exec.owe(['/srv/a']);
    await until('a failure', () => exec.counts.failures > 0);
    expect(log.messages).toContain('exec: the command ended with 3; it is tried again');
    expect(log.lines).toContainEqual({ level: 'warn', message: 'exec', fields: { stderr: 'no' } });
    writeFileSync(join(folder, 'ok'), '');
    await exec.owe(['/srv/b']);
    await until('nothing is owed', () => owed().length === 0);
    expect(runs()).toEqual([['/srv/a', '/srv/b']]);
  });

  it('that is not there is told and repeated', async () => {
    const exec = new ExecRunner({ command: [join(folder, 'none')], delayMs: 1, state, log });
    runners.push(exec);
    await exec.owe(['/srv/a']);
    await until('a failure', () => exec.counts.failures > 0);
    expect(log.messages.join()).toContain('could not be started: spawn');
    expect(owed()).toEqual(['/srv/a']);
  });

  it('need not read what it is told, however much', async () => {
    const exec = runner('exit 0', 1);
    await exec.owe(Array.from({ length: 9000 }, (_, at) => `/srv/${'x'.repeat(200)}/${at}`));
    await until('nothing is owed', () => owed().length === 0);
    expect(exec.counts.failures).toBe(0);
  });

  it('is told of more than one run takes in several', async () => {
    const exec = runner('tr "\\0" "\\n" >> "$1"');
    await exec.owe(Array.from({ length: 10_500 }, (_, at) => `/srv/${at}`));
    await until('nothing is owed', () => owed().length === 0);
    expect(exec.counts.runs).toBe(2);
    expect(new Set(readFileSync(told, 'utf8').trim().split('\n')).size).toBe(10_500);
  });

  it('runs after a crash for what was owed before', async () => {
    await state.setOwed(['/srv/left']);
    runner(TELL);
    await until('nothing is owed', () => owed().length === 0);
    expect(runs()).toEqual([['/srv/left']]);
  });

  it('runs again after a kill -9 in its middle', async () => {
    const file = join(folder, 'other', 'state.db');
    const script = JSON.stringify([
      'sh',
      '-c',
      `echo $$ > ${join(folder, 'pid')}; cat >> "$1"; echo >> "$1"; exec sleep 1000`,
      'sh',
      told,
    ]);
    const src = (path: string) => JSON.stringify(join(import.meta.dirname, '../../src/events', path));
    const other = startNode([
      '--input-type=module',
      '-e',
      `import { openPullState } from ${src('state/open-pull-state.ts')};
       import { ExecRunner } from ${src('exec/exec-runner.ts')};
       const log = { debug() {}, info() {}, warn() {}, error() {}, with() { return log; } };
       const state = await openPullState(${JSON.stringify(file)}, { log });
       const exec = new ExecRunner({ command: ${script}, delayMs: 1, state, log });
       await exec.owe(['/srv/a']);`,
    ]);
    await other.until('the command to run', () => runs().length > 0);
    await other.kill();
    process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 'SIGKILL');
    await using reopened = await openPullState(file, { log });
    await using exec = new ExecRunner({
      command: ['sh', '-c', TELL, 'sh', told],
      delayMs: 1,
      state: reopened,
      log,
    });
    await until('nothing is owed', () => reopened.owed(9).length === 0);
    expect(runs()).toEqual([['/srv/a'], ['/srv/a']]);
    expect(exec.counts.runs).toBe(1);
  });
});

describe('flush', () => {
  it('runs at once what is owed, and tells whether that succeeded', async () => {
    const exec = runner(`[ -e ${join(folder, 'ok')} ] || exit 1; ${TELL}`, 600_000);
    expect(await exec.flush()).toBe(true);
    expect(exec.counts.runs).toBe(0);
    await exec.owe(['/srv/a']);
    expect(await exec.flush()).toBe(false);
    expect(owed()).toEqual(['/srv/a']);
    writeFileSync(join(folder, 'ok'), '');
    expect(await exec.flush()).toBe(true);
    expect(runs()).toEqual([['/srv/a']]);
  });
});

describe('close', () => {
  it('waits for the command that is running, and begins no other', async () => {
    const exec = runner(`echo begun > ${join(folder, 'begun')}; sleep 0.3; ${TELL}`);
    await exec.owe(['/srv/a']);
    await until('the command to run', () => existsSync(join(folder, 'begun')));
    await exec.owe(['/srv/b']);
    await exec.close();
    expect(runs()).toEqual([['/srv/a']]);
    expect(owed()).toEqual(['/srv/b']);
  });

  it('ends a command that takes too long, with all that it has started', async () => {
    const pids = join(folder, 'pids');
    const inner = `trap "" TERM; echo $$ >> ${pids}; while :; do sleep 0.1; done`;
    const exec = runner(`trap '' TERM; sh -c '${inner}' & echo $$ >> ${pids}; wait`, 1, 100);
    await exec.owe(['/srv/a']);
    const running = () =>
      existsSync(pids) ? readFileSync(pids, 'utf8').split('\n').slice(0, -1).map(Number) : [];
    await until('both to run', () => running().length === 2);
    await exec.close();
    expect(owed()).toEqual(['/srv/a']);
    await until('both to be gone', () => running().every((pid) => !isRunning(pid)));
  });

  it('begins with the signal, so that what else is finished meanwhile takes no longer by it', async () => {
    const stop = new AbortController();
    const exec = runner(`echo $$ > "$1"; exec sleep 1000`, 5, 5, stop.signal);
    await exec.owe(['/srv/a']);
    const pid = () => (existsSync(told) ? Number(readFileSync(told, 'utf8')) : 0);
    await until('the command to run', () => pid() > 0);
    stop.abort();
    await until('it to be gone', () => !isRunning(pid()));
    await exec.owe(['/srv/b']);
    expect(await exec.flush()).toBe(false);
    expect(owed()).toEqual(['/srv/a', '/srv/b']);
  });
});

/** Whether a process is there and no zombie. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

describe('what a command prints', () => {
  it('is logged line by line, also without an end', async () => {
    const exec = runner(`printf 'one\\r\\ntwo'; printf 'wrong\\n' >&2`);
    await exec.owe(['/srv/a']);
    await until('nothing is owed', () => owed().length === 0);
    const lines = log.lines
      .filter(({ message }) => message === 'exec')
      .map(({ level, fields }) => [level, fields]);
    expect(lines).toContainEqual(['info', { stdout: 'one' }]);
    expect(lines).toContainEqual(['info', { stdout: 'two' }]);
    expect(lines).toContainEqual(['warn', { stderr: 'wrong' }]);
  });

  it('does not hold up its end where it left something running', async () => {
    const exec = runner('sleep 1000 & echo $! > "$1"');
    await exec.owe(['/srv/a']);
    await until('nothing is owed', () => owed().length === 0, 60_000);
    const left = Number(readFileSync(told, 'utf8'));
    expect(isRunning(left)).toBe(true);
    process.kill(left, 'SIGKILL');
  });
});

it('a command gets our environment without our secrets and settings', async () => {
  expect(
    childEnvironment({
      PATH: '/bin',
      AWS_SECRET_ACCESS_KEY: 'sesame',
      AWS_PROFILE: 'x',
      ISYNC_TOKEN: 'sesame',
      CREDENTIALS_DIRECTORY: '/run',
      MY_AWS_NOTE: 'kept',
    }),
  ).toEqual({ PATH: '/bin', MY_AWS_NOTE: 'kept' });
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'sesame');
  try {
    const exec = runner('env > "$1"');
    await exec.owe(['/srv/a']);
    expect(await exec.flush()).toBe(true);
    expect(readFileSync(told, 'utf8')).toContain('PATH=');
    expect(readFileSync(told, 'utf8')).not.toContain('sesame');
  } finally {
    vi.unstubAllEnvs();
  }
});
