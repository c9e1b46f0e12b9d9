import { spawn, type ChildProcess } from 'node:child_process';
import { Readable } from 'node:stream';
import type { Log } from '../../model/log.ts';
import { childEnvironment } from './child-environment.ts';
import { OutputLines } from './output-lines.ts';

/** How long output is waited for after the command has ended, in ms: what it left running may keep it open for ever. */
const LAST_OUTPUT_MS = 1000;
/** From TERM to KILL, in ms. */
const KILL_AFTER_MS = 2000;
/** A command that runs this long is told of, in ms, and again after as long: it holds up all that is owed since. */
const LONG_RUN_MS = 600_000;

export interface RunningCommand {
  /** Resolves to undefined where it ended with 0, else to why not. Never rejects. */
  readonly ended: Promise<string | undefined>;
  /** Ends it and all in its process group: TERM, and KILL some seconds later. */
  stop(): void;
}

/**
 * Starts a command, without a shell and in a process group of its own. It gets `paths` on stdin, each with a NUL behind it; it
 * need not read them. What it prints goes to the log.
 */
export function runCommand(command: readonly string[], paths: readonly string[], log: Log): RunningCommand {
  const [program = '', ...args] = command;
  let child: ChildProcess;
  try {
    child = spawn(program, args, {
      // A group of its own: Ctrl-C at our terminal is ours to act on, and `stop` reaches all that the command has started.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: childEnvironment(process.env),
    });
  } catch (error) {
    // A name with NUL, too many words.
    return { ended: Promise.resolve(`could not be started: ${String(error)}`), stop: () => undefined };
  }
  feed(child, paths);
  const longRun = setInterval(
    () => log.warn('exec: the command is still running', { pid: child.pid, paths: paths.length }),
    LONG_RUN_MS,
  );
  const ended = endOf(child, log).finally(() => clearInterval(longRun));
  return { ended, stop: () => stop(child, ended) };
}

function feed(child: ChildProcess, paths: readonly string[]): void {
  const { stdin } = child;
  if (stdin === null) return;
  // EPIPE: the command does not care for them.
  stdin.on('error', () => undefined);
  Readable.from(paths.map((path) => `${path}\0`)).pipe(stdin);
}

async function endOf(child: ChildProcess, log: Log): Promise<string | undefined> {
  const bound = OutputLines.bound();
  const streams = [
    { stream: child.stdout, lines: new OutputLines((line) => log.info('exec', { stdout: line }), bound) },
    { stream: child.stderr, lines: new OutputLines((line) => log.warn('exec', { stderr: line }), bound) },
  ];
  for (const { stream, lines } of streams) stream?.on('data', (bytes: Buffer) => lines.write(bytes));
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const fault = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(faultOf(code, signal)));
  });
  await withinLastOutput(closed);
  for (const { stream, lines } of streams) {
    stream?.destroy();
    lines.end();
  }
  child.stdin?.destroy();
  if (bound.dropped > 0) log.warn('exec: the command printed more', { lines: bound.dropped });
  return fault;
}

async function withinLastOutput(closed: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, LAST_OUTPUT_MS)));
  await Promise.race([closed, late]);
  clearTimeout(timer);
}

function faultOf(code: number | null, signal: NodeJS.Signals | null): string | undefined {
  if (code === 0) return undefined;
  return code === null ? `was ended by ${signal ?? 'a signal'}` : `ended with ${code}`;
}

function stop(child: ChildProcess, ended: Promise<unknown>): void {
  signalGroup(child, 'SIGTERM');
  const kill = setTimeout(() => signalGroup(child, 'SIGKILL'), KILL_AFTER_MS);
  void ended.finally(() => clearTimeout(kill));
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended already.
  }
}
