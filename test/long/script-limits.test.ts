import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { startNode, until } from '../../harness/process.ts';
import { ScriptOutput } from '../../src/events/action/script/script-output.ts';
import { RecordingLog } from '../recording-log.ts';
import { isRunning, openFiles, type ScriptStage, scriptStage } from '../events/script-stage.ts';

let stage: ScriptStage;
beforeEach(() => void (stage = scriptStage()));

const pids = (): number[] =>
  existsSync(join(stage.folder, 'pids')) ? stage.left('pids').split('\n').slice(0, -1).map(Number) : [];
const allGone = (count: number) => pids().length === count && pids().every((pid) => !isRunning(pid));

/** Ignores TERM, and so does what it starts: all of its group must be killed. */
const DEAF = `trap '' TERM; echo $$ >> "$HERE/pids"; sleep 1000 & echo $! >> "$HERE/pids"; wait`;

describe('a script that takes too long', () => {
  it('is ended with all that it has started', async () => {
    const ran = stage.script(`sleep 1000 & echo $$ $! | tr ' ' '\\n' >> "$HERE/pids"; wait`, {
      timeoutMs: 1500,
    })();
    await expect(ran).rejects.toMatchObject({
      code: 'SCRIPT_FAILED',
      retryable: false,
      message: 'the script was ended: it took longer than 1.5 s',
    });
    await until('both to be gone', () => allGone(2));
  });

  it('may tidy up', async () => {
    const ran = stage.script(`trap 'sleep 0.3; echo tidy > "$HERE/tidy"; exit 0' TERM; sleep 1000 & wait`, {
      timeoutMs: 1000,
    })();
    await expect(ran).rejects.toMatchObject({ code: 'SCRIPT_FAILED' });
    expect(stage.left('tidy')).toBe('tidy\n');
  });

  it('and does not listen is killed', async () => {
    const ran = stage.script(DEAF, { timeoutMs: 1000, tidyMs: 500 })();
    await expect(ran).rejects.toMatchObject({ message: expect.stringContaining('longer than 1 s') });
    await until('both to be gone', () => allGone(2));
  });
});

describe('the cut', () => {
  it('ends a script, kills it where it does not listen, and is the reason', async () => {
    const cut = new AbortController();
    const ran = stage.script(DEAF)({}, cut.signal);
    const reason = new Error('over');
    await until('both to run', () => pids().length === 2);
    cut.abort(reason);
    await expect(ran).rejects.toBe(reason);
    await until('both to be gone', () => allGone(2));
  });

  it('that has fired begins nothing', async () => {
    const run = stage.script(`touch "$HERE/ran"`);
    await expect(run({}, AbortSignal.abort(new Error('over')))).rejects.toThrow('over');
    expect(existsSync(join(stage.folder, 'ran'))).toBe(false);
  });
});

describe('what a script leaves running', () => {
  it.each(['sleep 1000', 'sleep 1000 > /dev/null 2>&1 < /dev/null'])('is killed: %s', async (rest) => {
    const run = stage.script(`${rest} & echo $! >> "$HERE/pids"`);
    expect(await run()).toEqual({ outcome: 'done' });
    await until('it to be gone', () => allGone(1));
  });

  it('in a session of its own stays, and holds up nobody though it has our pipes', async () => {
    const run = stage.script(`setsid sh -c 'echo $$ >> "$0/pids"; exec sleep 1000' "$HERE" &
      while [ ! -s "$HERE/pids" ]; do sleep 0.01; done`);
    expect(await run()).toEqual({ outcome: 'done' });
    const [left = 0] = pids();
    expect(isRunning(left)).toBe(true);
    process.kill(left, 'SIGKILL');
  });
});

describe('what a script prints', () => {
  it('is logged by line, with its message, bucket and key', async () => {
    await stage.script(`echo one; printf two; echo no >&2`)();
    const fields = { message: 'm-1', attempt: 1, bucket: 'photos', key: 'a/b.jpg' };
    expect(stage.printed()).toHaveLength(3);
    expect(stage.printed()).toEqual(
      expect.arrayContaining([
        { ...fields, stdout: 'one' },
        { ...fields, stdout: 'two' },
        { ...fields, stderr: 'no' },
      ]),
    );
  });

  it('is bounded, and its end is told', async () => {
    await stage.script(`head -c 2000000 /dev/zero | tr '\\0' x; echo; yes | head -c 1000000`)();
    expect(stage.printed()).toHaveLength(200);
    expect(String(stage.printed()[0]?.['stdout'])).toHaveLength(1001);
    expect(stage.log.lines.at(-1)?.message).toBe('script: it printed more than is kept');
  });

  it('without end takes neither our time nor our memory, until the script is ended', async () => {
    const before = process.cpuUsage();
    const ran = stage.script('exec yes', { timeoutMs: 3000 })();
    await expect(ran).rejects.toMatchObject({ message: expect.stringContaining('longer') });
    const { user, system } = process.cpuUsage(before);
    // Unbounded it is all of the three seconds, also on a slow machine.
    expect((user + system) / 1e6).toBeLessThan(1.5);
    expect(stage.printed()).toHaveLength(200);
  });

  it('by many scripts is bounded by the second', () => {
    let now = 0;
    const output = new ScriptOutput(() => now);
    const log = new RecordingLog();
    for (let at = 0; at < 5000; at++) output.line(log, 'stdout', 'x');
    expect(log.lines).toHaveLength(2000);
    now = 1000;
    for (let at = 0; at < 5000; at++) output.line(log, 'stderr', 'x');
    expect(log.lines).toHaveLength(2100);
    expect(log.lines[2000]?.fields).toEqual({ stderr: 'x', unsaid: 3000 });
    now = 2000;
    output.dropped(log, 7);
    expect(log.lines.at(-1)?.fields).toEqual({ lines: 7, unsaid: 4900 });
  });
});

describe('many scripts', () => {
  it('leave no files open', async () => {
    const run = stage.script('cat > /dev/null; echo x');
    await run();
    const before = openFiles();
    for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 20 }, () => run()));
    await expect.poll(openFiles).toBeLessThanOrEqual(before);
  });

  it('than a machine has room for come again', async () => {
    const src = (path: string) => JSON.stringify(join(import.meta.dirname, '../../src/events', path));
    // As many files as this process has open, and a few more.
    const other = startNode([
      '--input-type=module',
      '-e',
      `import { execFileSync } from 'node:child_process';
       import { openSync } from 'node:fs';
       import { scriptAction } from ${src('action/script/script-action.ts')};
       const log = { debug() {}, info() {}, warn() {}, error() {}, with() { return log; } };
       const action = scriptAction({ file: '/bin/true', log });
       const event = { kind: 'created', bucket: 'b', key: 'k', name: 'n' };
       const task = { event, messageId: 'm', attempt: 1, body: () => '{}', isLastLook: false };
       const act = () => action.act(task, new AbortController().signal).then((x) => x.outcome, (x) => x.code + x.retryable);
       console.log(await act());
       execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=60']);
       try { for (;;) openSync('/dev/null'); } catch {}
       console.log(await act());`,
    ]);
    expect(await other.ended).toMatchObject({ stdout: 'done\nBUSYtrue\n', stderr: '', exitCode: 0 });
  });
});
