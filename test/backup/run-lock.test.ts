import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeRunLock } from '../../src/backup/state/run-lock.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'isync-lock-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const MODULE = new URL('../../src/backup/state/run-lock.ts', import.meta.url).href;

/** Another process that has taken the lock, and ends only when it is killed. */
async function startHolder() {
  const program = `
    const { takeRunLock } = await import(${JSON.stringify(MODULE)});
    globalThis.lock = await takeRunLock(${JSON.stringify(folder)});
    console.log('taken');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

describe('the lock of a run', () => {
  it('keeps a second one out until it is given back', async () => {
    const lock = await takeRunLock(folder);
    await expect(takeRunLock(folder)).rejects.toMatchObject({ code: 'BUSY' });
    lock[Symbol.dispose]();
    lock[Symbol.dispose]();
    using _ = await takeRunLock(folder);
  });

  it('names the process that has it, and dies with it', async () => {
    await using holder = await startHolder();
    await expect(takeRunLock(folder)).rejects.toMatchObject({
      code: 'BUSY',
      message: expect.stringContaining(String(holder.pid)),
    });
    await holder[Symbol.asyncDispose]();
    using _ = await takeRunLock(folder);
  });

  it('waits for it where it is told to', async () => {
    const first = await takeRunLock(folder);
    let isTaken = false;
    const second = takeRunLock(folder, { isWaiting: true }).then((lock) => {
      isTaken = true;
      return lock;
    });
    await expect(takeRunLock(folder)).rejects.toMatchObject({ code: 'BUSY' });
    expect(isTaken).toBe(false);
    first[Symbol.dispose]();
    using _ = await second;
    const given = new AbortController();
    const third = takeRunLock(folder, { isWaiting: true, signal: given.signal });
    given.abort(new Error('enough'));
    await expect(third).rejects.toThrow('enough');
  });
});
