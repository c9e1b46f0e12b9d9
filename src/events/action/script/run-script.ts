import type { AbortWatch } from '../../../flow/abort-watch.ts';
import { errnoOf, IsyncError } from '../../../model/isync-error.ts';
import type { Log } from '../../../model/log.ts';
import { Child, type Ending } from '../../../exec/child.ts';
import { childEnvironment } from '../../../exec/child-environment.ts';
import { endingText } from '../../../exec/ending-text.ts';
import type { ScriptOutput } from './script-output.ts';

/** EX_TEMPFAIL of sysexits.h: trouble that passes by itself. */
const LATER = 75;
/** The system has no room for one more process just now. */
const NO_ROOM: ReadonlySet<string | undefined> = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM']);

export interface ScriptRun {
  readonly file: string;
  readonly args: readonly string[];
  /** Beside our environment, without what is ours alone (child-environment.ts). */
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
  readonly timeoutMs: number;
  /** From TERM to KILL after that, in ms. */
  readonly tidyMs: number;
  readonly output: ScriptOutput;
  /** Has the fields of this run. */
  readonly log: Log;
}

/**
 * Runs a script until it ends with 0. What it leaves running in its process group is killed then: the next event of the key
 * must find nothing at work on it.
 * @throws IsyncError SCRIPT_FAILED (retryable where it ended with 75); CONFIG_INVALID or BUSY, both retryable, where it could
 * not be started; the reason of `signal`
 */
export async function runScript(run: ScriptRun, signal: AbortSignal, watch: AbortWatch): Promise<void> {
  signal.throwIfAborted();
  const { file, args, output, log, timeoutMs } = run;
  const child = new Child({
    program: file,
    args,
    env: { ...childEnvironment(process.env), ...run.env },
    input: [run.input],
    printed: (stream, line) => output.line(log, stream, line),
  });
  let isLate = false;
  const timeout = setTimeout(() => {
    isLate = true;
    child.stop(run.tidyMs);
  }, timeoutMs);
  const unwatch = watch.watch(signal, () => child.stop());
  const ending = await child.ended;
  child.killRest();
  clearTimeout(timeout);
  unwatch();
  output.dropped(log, child.dropped);
  signal.throwIfAborted();
  if (isLate) throw failed(file, `was ended: it took longer than ${timeoutMs / 1000} s`);
  if (ending.kind === 'not started') throw notStarted(file, ending);
  if (ending.kind === 'exit' && ending.code === LATER)
    throw failed(file, `ended with ${LATER}: it asks to be run again later`, true);
  if (ending.kind !== 'exit' || ending.code !== 0) throw failed(file, endingText(ending));
}

function failed(path: string, why: string, retryable = false): IsyncError {
  return new IsyncError('SCRIPT_FAILED', `the script ${why}`, { path, retryable });
}

/** A script may be missing for the moment in which it is replaced, and what it needs may be on a disk that is away. */
function notStarted(path: string, ending: Extract<Ending, { kind: 'not started' }>): IsyncError {
  const { error } = ending;
  const message = `the script ${endingText(ending)}`;
  if (NO_ROOM.has(errnoOf(error)))
    return new IsyncError('BUSY', message, {
      path,
      cause: error,
      hint: 'The machine has no room for one more process: lower --concurrency, or raise its limits.',
    });
  return new IsyncError('CONFIG_INVALID', message, {
    path,
    cause: error,
    retryable: true,
    hint: 'See that the file is there and executable, and that its first line names an interpreter that is there.',
  });
}
