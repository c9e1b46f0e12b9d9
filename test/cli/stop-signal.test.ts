import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';

const MODULE = new URL('../../src/cli/stop-signal.ts', import.meta.url).href;
const PROGRAM = `
  const { stopOnSignal } = await import('${MODULE}');
  const { signal } = stopOnSignal((name) => console.log('told', name));
  setInterval(() => console.log('aborted', signal.aborted, signal.reason?.code), 10);`;

describe('the first signal asks, the second one ends:', () => {
  it.each([
    ['SIGINT', 'SIGINT'],
    ['SIGTERM', 'SIGTERM'],
    ['SIGTERM', 'SIGINT'],
    ['SIGHUP', 'SIGTERM'],
  ] as const)('%s, then %s', async (first, second) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    let stdout = '';
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    await vi.waitFor(() => expect(stdout).toContain('aborted false'), { timeout: 60_000 });
    child.kill(first);
    await vi.waitFor(() => expect(stdout).toContain('aborted true INTERRUPTED'), { timeout: 60_000 });
    expect(stdout).toContain(`told ${first}`);
    // Service managers may send one after another signal, and shells more than one.
    child.kill('SIGHUP');
    stdout = '';
    await vi.waitFor(() => expect(stdout).toContain('aborted true'), { timeout: 60_000 });
    child.kill(second);
    expect(await ended).toEqual([130, null]);
  });
});
