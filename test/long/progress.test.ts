import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { isync } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

const PATIENCE = { timeout: 60_000, interval: 50 };

let running: ChildProcess[] = [];
afterEach(async () => {
  for (const child of running)
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  running = [];
});

/** A root with one closed directory of one file of 600 kB. */
function rootOf(): string {
  const root = temporaryFolder();
  mkdirSync(join(root, 'DC1'));
  writeFileSync(join(root, 'DC1', 'a\u001b[2J.bin'), Buffer.alloc(600_000, 'x'));
  writeFileSync(join(root, 'DC1', 'finished.parse'), '');
  return root;
}

/** Runs isync on a terminal of its own (util-linux). Returns what the terminal has shown so far, without the codes that clear lines. */
function onTerminal(args: readonly string[]): () => string {
  const words = [CLI_NODE, CLI_MAIN, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', `stty cols 120; exec ${words}`, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: process.env['PATH'], TERM: 'xterm', SHELL: '/bin/sh', XDG_RUNTIME_DIR: temporaryFolder() },
  });
  running.push(child);
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  return () => shown.replaceAll('\r\u001b[K', '\n');
}

describe('progress on a terminal', () => {
  it('shows part, rate and file while a scan sends, and that it is idle', async () => {
    const shown = onTerminal(['scan', rootOf(), '--to', temporaryFolder(), '--bwlimit', '200kB/s']);
    await vi.waitFor(() => {
      expect(shown()).toMatch(
        /^\d+% of 585\.9 KiB, 0 files, [\d.]+ KiB, [\d.]+ KiB\/s, 1 directory left: DC1\/a\\x1b\[2J\.bin$/m,
      );
      expect(shown()).toMatch(/^idle, 1 file, 585\.9 KiB, 0 directories left$/m);
    }, PATIENCE);
    expect(shown()).not.toContain('\u001b[2J');
  });

  it('says that it waits for the link', async () => {
    const shown = onTerminal(['scan', rootOf(), '--to', 'ws://127.0.0.1:1']);
    await vi.waitFor(() => expect(shown()).toMatch(/^waiting for link, /m), PATIENCE);
  });
});

describe('progress in a log', () => {
  const scan = (...args: string[]) =>
    isync(['scan', rootOf(), '--to', temporaryFolder(), '--once', '--bwlimit', '200kB/s', ...args]);

  it('is a line now and then, while something moves', async () => {
    const { stderr } = await scan('--stats', '300ms');
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => 'bytesPerSecond' in line);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines[0]).toMatchObject({ level: 'info', files: 0, directoriesLeft: 1, activity: 'working' });
    for (const { bytesPerSecond } of lines) expect(bytesPerSecond).toBeGreaterThanOrEqual(0);
  });

  it('is none with --stats 0, nor within the first minute', async () => {
    const [never, later] = await Promise.all([scan('--stats', '0'), scan()]);
    expect(never.stderr + later.stderr).not.toContain('bytesPerSecond');
  });
});
