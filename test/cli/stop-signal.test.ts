import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';

const MODULE = new URL('../../src/cli/stop-signal.ts', import.meta.url).href;
const PROGRAM = `
  const { stopOnSignal } = await import('${MODULE}');
  const { signal } = stopOnSignal((name) => console.log('told', name));
  let askedMs = Infinity;
  signal.addEventListener('abort', () => (askedMs = performance.now()));
  const isLater = () => performance.now() - askedMs > 250;
  setInterval(() => console.log('aborted', signal.aborted, signal.reason?.code, isLater() ? 'later' : 'just now'), 10);`;

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
    // At once the same one would be the same request.
    const told = first === second ? 'later' : 'aborted true';
    await vi.waitFor(() => expect(stdout).toContain(told), { timeout: 60_000 });
    child.kill(second);
    expect(await ended).toEqual([130, null]);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('%s twice within a moment asks once', async (name) => {
    // Both come before anything else can run, as those of a process and of its group do.
    const program = `${PROGRAM}
      for (const _ of [1, 2]) process.emit('${name}', '${name}');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    let stdout = '';
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    await vi.waitFor(() => expect(stdout).toContain('aborted true INTERRUPTED later'), { timeout: 60_000 });
    expect(stdout.split('told')).toHaveLength(2);
    child.kill(name);
    expect(await ended).toEqual([130, null]);
  });

  it('the same one is none also to a process that is done already', async () => {
    const program = `
      const { stopOnSignal } = await import('${MODULE}');
      const stop = stopOnSignal(() => undefined);
      stop.signal.addEventListener('abort', () => {
        stop[Symbol.dispose]();
        process.kill(process.pid, 'SIGTERM');
        setTimeout(() => process.exit(0), 50);
      });
      process.kill(process.pid, 'SIGTERM');
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
    expect(await once(child, 'close')).toEqual([0, null]);
  });
});

const RELOADS = `
  const { stopOnSignal } = await import('${MODULE}');
  const stop = stopOnSignal((name) => console.log('told', name));
  stop.onReload(() => console.log('reloaded'));
  setInterval(() => console.log(\`\${process.pid} aborted \${stop.signal.aborted}\`), 10);`;

const RUN = [process.execPath, '--input-type=module', '-e', RELOADS];
/** script makes a terminal, and with a shell's exec nothing stands between. */
const IN_TERMINAL = ['-qefc', `exec ${RUN.map(quoted).join(' ')}`, '/dev/null'];

describe('SIGHUP', () => {
  it.each([
    ['has a service read its settings again', 'setsid', RUN, 'reloaded'],
    ['ends what a terminal started', 'script', IN_TERMINAL, 'told SIGHUP'],
  ] as const)('%s', async (_, command, args, answer) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'close');
    let stdout = '';
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    await vi.waitFor(() => expect(stdout).toMatch(/\d+ aborted false/), { timeout: 60_000 });
    const pid = Number(/(\d+) aborted false/.exec(stdout)?.[1]);
    process.kill(pid, 'SIGHUP');
    await vi.waitFor(() => expect(stdout).toContain(answer), { timeout: 60_000 });
    process.kill(pid, 'SIGKILL');
    await ended;
  });
});

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
