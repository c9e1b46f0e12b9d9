import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  /** What to run in the place of the bundle. */
  readonly main?: string;
}

/** A running `isync`, with what it has written so far. */
export interface IsyncProcess {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<Ended>;
}

export function startIsync(
  args: readonly string[],
  { env = {}, cwd, uid, main = CLI_MAIN }: RunOptions = {},
): IsyncProcess {
  const child = spawn(CLI_NODE, [main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    cwd,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** Runs `isync` to its end. */
export function isync(args: readonly string[], options?: RunOptions): Promise<Ended> {
  return startIsync(args, options).ended;
}
