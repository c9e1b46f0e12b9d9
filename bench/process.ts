import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CliProcess, startNode, type Ended } from '../harness/process.ts';

/** Of the times in /proc, in one second: USER_HZ, which Linux has fixed for programs. */
const TICKS_PER_SECOND = 100;

type Environment = Readonly<Record<string, string>>;

/** @param env besides this process's own */
export function startProgram(command: string, args: readonly string[], env: Environment = {}): CliProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  return new CliProcess(child, [command, ...args]);
}

/** Runs a program to its end; rejects unless it succeeds. */
export async function runProgram(
  command: string,
  args: readonly string[],
  env: Environment = {},
): Promise<Ended> {
  await using program = startProgram(command, args, env);
  return succeeded(await program.ended, `${command} ${args.join(' ')}`);
}

export async function hasProgram(command: string): Promise<boolean> {
  await using look = startProgram('/bin/sh', ['-c', 'command -v "$0"', command]);
  return (await look.ended).exitCode === 0;
}

/** Starts one of bench/programs/. */
export function startOwn(
  name:
    | 'arrivals'
    | 'bare-sync'
    | 'devices'
    | 'link'
    | 'node-pair'
    | 'posters'
    | 'raw-socket'
    | 'raw-write'
    | 'round-robin'
    | 'steady-parser'
    | 'stop-and-wait',
  args: readonly (string | number)[],
  env: Environment = {},
): CliProcess {
  const path = fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url));
  return startNode([path, ...args.map(String)], { env });
}

/** Runs one of bench/programs/ to its end and returns the number it prints. */
export async function numberFrom(...start: Parameters<typeof startOwn>): Promise<number> {
  await using program = startOwn(...start);
  const { stdout } = succeeded(await program.ended, start[0]);
  return Number(stdout);
}

/** Starts one of bench/programs/ that prints the port it listens at. */
export async function startListening(
  ...start: Parameters<typeof startOwn>
): Promise<AsyncDisposable & { readonly port: number; readonly pid: number }> {
  const program = startOwn(...start);
  const port = Number(await program.until(`${start[0]} to listen`, () => /^\d+\n/.exec(program.stdout)?.[0]));
  return { port, pid: program.pid, [Symbol.asyncDispose]: async () => await program[Symbol.asyncDispose]() };
}

/** CPU seconds that `pid` has used so far, with its children that have ended; NaN where there is no /proc. */
export function cpuOf(pid: number): number {
  const [user, system, childUser, childSystem] = times(pid);
  return (user + system + childUser + childSystem) / TICKS_PER_SECOND;
}

/** CPU seconds of the threads of a process that it has now, by the scheduler's own clock, which is finer; NaN where there is no /proc. */
export function fineCpuOf(pid: number): number {
  try {
    const ns = readdirSync(`/proc/${pid}/task`).map((thread) =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
    );
    return ns.reduce((sum, one) => sum + one, 0) / 1e9;
  } catch {
    return NaN;
  }
}

/** CPU seconds of the processes that `pid` has started and that still run. */
export function cpuOfChildren(pid: number): number {
  return childrenOf(pid).reduce((sum, child) => sum + cpuOf(child), 0);
}

/** The processes that `pid` has started and not yet collected. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number);
  } catch {
    // Not Linux: nothing to wait for, because no CPU time is taken either.
    return [];
  }
}

/** CPU seconds that the children of this process have used which have ended, with theirs. */
export function cpuOfEnded(): number {
  const [, , user, system] = times('self');
  return (user + system) / TICKS_PER_SECOND;
}

/** utime, stime, cutime and cstime of proc_pid_stat(5). */
function times(pid: number | 'self'): [number, number, number, number] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, which comes before, may hold anything.
    const [user, system, childUser, childSystem] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 15)
      .map(Number);
    return [user!, system!, childUser!, childSystem!];
  } catch {
    // Not Linux: then there is no such figure.
    return [NaN, NaN, NaN, NaN];
  }
}

function succeeded(ended: Ended, name: string): Ended {
  if (ended.exitCode !== 0)
    throw new Error(
      `${name} ended with ${ended.exitCode}: ${ended.stdout.slice(-500)}${ended.stderr.slice(-2000)}`,
    );
  return ended;
}
