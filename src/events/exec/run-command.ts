import type { Log } from '../../model/log.ts';
import { Child, type Ending } from '../../exec/child.ts';
import { childEnvironment } from '../../exec/child-environment.ts';
import { endingText } from '../../exec/ending-text.ts';

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
  const child = new Child({
    program,
    args,
    env: childEnvironment(process.env),
    input: paths.map((path) => `${path}\0`),
    printed: (stream, line) => log[stream === 'stdout' ? 'info' : 'warn']('exec', { [stream]: line }),
  });
  const longRun = setInterval(
    () => log.warn('exec: the command is still running', { pid: child.pid, paths: paths.length }),
    LONG_RUN_MS,
  );
  const ended = faultOf(child, log).finally(() => clearInterval(longRun));
  return { ended, stop: () => child.stop() };
}

async function faultOf(child: Child, log: Log): Promise<string | undefined> {
  const ending = await child.ended;
  if (child.dropped > 0) log.warn('exec: the command printed more', { lines: child.dropped });
  return isSuccess(ending) ? undefined : endingText(ending);
}

function isSuccess(ending: Ending): boolean {
  return ending.kind === 'exit' && ending.code === 0;
}
