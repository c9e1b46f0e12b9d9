import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type DeviceLockOptions, lockDevice } from '../../src/store/file/device-lock.ts';
import { useStoreFolder } from './folder.ts';

const folder = useStoreFolder();

const lockPath = (device = 'edge1') => join(folder.root, '.isync/locks', device);

async function lock(device = 'edge1', options: DeviceLockOptions = {}) {
  const held = await lockDevice(folder.root, device, options);
  onTestFinished(() => held[Symbol.asyncDispose]());
  return held;
}

/** A process that tries to get the lock, says with which outcome, and stays. */
async function contender(): Promise<{ child: ChildProcess; said: string }> {
  const module = JSON.stringify(import.meta.resolve('../../src/store/file/device-lock.ts'));
  const program = `
    import { lockDevice } from ${module};
    const outcome = lockDevice(process.argv[1], 'edge1');
    console.log(await outcome.then(() => 'locked', (error) => error.code));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, folder.root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  folder.afterwards(() => child.kill('SIGKILL'));
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: said.toString().trim() };
}

/** Puts a lock there that a process of another machine might hold. */
function holdElsewhere(text = JSON.stringify({ owner: '0123-7-7-ab', pid: 7, host: 'far', since: 'then' })) {
  mkdirSync(join(folder.root, '.isync/locks'), { recursive: true });
  writeFileSync(lockPath(), text);
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

describe('the lock of a device', () => {
  it('is held by one at a time, and the other is told by whom', async () => {
    const first = await lock();
    const second = lock();
    await expect(second).rejects.toMatchObject({
      code: 'FENCED',
      retryable: false,
      message: expect.stringMatching(`"edge1".*process ${process.pid} on ${hostname()} since 20`),
      hint: expect.stringContaining(lockPath()),
    });
    await first[Symbol.asyncDispose]();
    expect(existsSync(lockPath())).toBe(false);
    await lock();
  });

  it('is one for each device', async () => {
    await lock('edge1');
    await lock('edge2');
    await expect(lock('edge1')).rejects.toMatchObject({ code: 'FENCED' });
  });

  it('is taken over from a process that was killed, by just one of many', async () => {
    const { child, said } = await contender();
    expect(said).toBe('locked');
    await expect(lock()).rejects.toMatchObject({
      code: 'FENCED',
      message: expect.stringContaining(`${child.pid}`),
    });
    await kill(child);
    const outcomes = await Promise.all(Array.from({ length: 6 }, contender));
    expect(outcomes.map(({ said }) => said).sort()).toEqual([...Array(5).fill('FENCED'), 'locked']);
    await Promise.all(outcomes.map(({ child }) => kill(child)));
    await lock();
  });

  it('is taken over also where a process was killed while it took over', async () => {
    const dead = JSON.parse(await leftByAKilled()) as object;
    const names = [lockPath()];
    // Each is named after the holder of the one before, and all of them are dead.
    for (let depth = 0; depth < 3; depth++) {
      const text = `${JSON.stringify({ ...dead, since: `${depth}` })}\n`;
      writeFileSync(names.at(-1)!, text);
      names.push(`${names.at(-1)}~${createHash('sha256').update(text).digest('hex').slice(0, 16)}`);
    }
    await lock();
    expect(names.filter(existsSync)).toEqual([lockPath()]);
  });

  it('is taken over from another machine once that has shown no life for long', async () => {
    holdElsewhere();
    const told: string[] = [];
    await lock('edge1', { patienceMs: 200, onWait: (holder) => told.push(holder) });
    expect(told).toEqual(['process 7 on far since then']);
    expect(readFileSync(lockPath(), 'utf8')).toContain(`"pid":${process.pid}`);
  });

  it.each(['', 'not JSON', '{"owner":{}}'])(
    'is taken over in the same way where it holds %j',
    async (text) => {
      holdElsewhere(text);
      await lock('edge1', { patienceMs: 50 });
      expect(readFileSync(lockPath(), 'utf8')).toContain(`"pid":${process.pid}`);
    },
  );

  it('is not taken over from another machine that shows life', async () => {
    holdElsewhere();
    let beats = 0;
    const timer = setInterval(() => utimesSync(lockPath(), ++beats, beats), 20);
    folder.afterwards(() => clearInterval(timer));
    await expect(lock('edge1', { patienceMs: 60_000 })).rejects.toMatchObject({
      code: 'FENCED',
      message: expect.stringContaining('process 7 on far since then'),
    });
  });

  it('is waited for no longer than the signal lets it', async () => {
    holdElsewhere();
    const aborts = new AbortController();
    const waiting = lock('edge1', { signal: aborts.signal, onWait: () => aborts.abort(new Error('enough')) });
    await expect(waiting).rejects.toThrow('enough');
  });

  it('shows life, and tells when it is lost', async () => {
    const held = await lock('edge1', { beatMs: 5 });
    utimesSync(lockPath(), 1, 1);
    await expect.poll(() => readMtime()).toBeGreaterThan(1_000_000);
    const text = readFileSync(lockPath(), 'utf8');
    holdElsewhere();
    expect(await held.lost).toMatchObject({
      code: 'FENCED',
      message: expect.stringContaining('process 7 on far since then'),
    });
    await held[Symbol.asyncDispose]();
    expect(readFileSync(lockPath(), 'utf8')).not.toBe(text);
  });

  it('is put back where the store was emptied, and not below a disk that was unmounted', async () => {
    await lock('edge1', { beatMs: 5 });
    const text = readFileSync(lockPath(), 'utf8');
    rmSync(join(folder.root, '.isync'), { recursive: true });
    await expect.poll(() => existsSync(lockPath()) && readFileSync(lockPath(), 'utf8')).toBe(text);
    await expect(lock()).rejects.toMatchObject({ code: 'FENCED' });
    renameSync(folder.root, join(folder.outside, 'unmounted'));
    mkdirSync(folder.root);
    // Timers go off in the order of their times, however late: some beats before this one.
    await sleep(50);
    expect(readdirSync(folder.root)).toEqual([]);
  });

  it('leaves nothing staged', async () => {
    await lock();
    expect(await folder.staged()).toEqual([lockPath()]);
  });
});

function readMtime(): number {
  return statSync(lockPath()).mtimeMs;
}

async function leftByAKilled(): Promise<string> {
  const { child } = await contender();
  const text = readFileSync(lockPath(), 'utf8');
  await kill(child);
  return text;
}
