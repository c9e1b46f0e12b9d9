import type { Log } from '../../model/log.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { Child } from '../../exec/child.ts';
import { childEnvironment } from '../../exec/child-environment.ts';
import { endingText } from '../../exec/ending-text.ts';

export interface RunCommandOptions {
  /** `before` or `after`: how the config calls it. */
  readonly name: string;
  /** Told in its environment, beside ours without settings and secrets of isync. */
  readonly environment: Readonly<Record<string, string>>;
  readonly log: Log;
  /** Ends it. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Runs a command of a job to its end; what it prints is in the log.
 * @throws IsyncError SOURCE_FAILED where it fails; the reason of the signal
 */
export async function runCommand(
  [program = '', ...args]: readonly string[],
  { name, environment, log, signal }: RunCommandOptions,
): Promise<void> {
  signal?.throwIfAborted();
  const child = new Child({
    program,
    args,
    env: { ...childEnvironment(process.env), ...environment },
    input: [],
    printed: (stream, line) => log.info(line, { command: name, stream }),
  });
  const stop = (): void => child.stop();
  signal?.addEventListener('abort', stop, { once: true });
  const ending = await child.ended;
  signal?.removeEventListener('abort', stop);
  signal?.throwIfAborted();
  if (ending.kind === 'exit' && ending.code === 0) return;
  throw new IsyncError('SOURCE_FAILED', `"${name}" of the job ${endingText(ending)}`, {
    path: program,
    hint: 'Its output is in the log.',
  });
}
