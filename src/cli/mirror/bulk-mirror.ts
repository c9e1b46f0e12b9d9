import type { MirrorConfig } from '../../config/schemas/mirror.ts';
import { type OpenMirror, openMirror } from '../../mirror/open-mirror.ts';
import type { LastingWork } from '../lasting-command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { mirrorSettings } from '../../mirror/mirror-settings.ts';

type Work = LastingWork<MirrorConfig>;

/** Failures that `--json` lists, so that it prints some megabytes at most. All are counted, and are in the file of `--failed`. */
export const MOST_LISTED = 10_000;

/** The parts of a mirror for a command: what it keeps is marked as filled by one. Its bucket is there and can be read. */
export async function openBulkMirror({ config, log, signal }: Work): Promise<OpenMirror> {
  await using stack = new AsyncDisposableStack();
  const mirror = stack.use(await openMirror({ ...mirrorSettings(config), filledBy: 'fill' }, { log }));
  await mirror.probe(signal);
  stack.move();
  return mirror;
}

/**
 * Runs to its end, or until a signal comes: then fills under way end, or are cut.
 * @param told the summary so far
 * @param hasProblems whether something failed
 */
export async function toTheEnd(
  { output, signal, cut }: Work,
  { fills }: OpenMirror,
  run: () => Promise<void>,
  { told, say, hasProblems }: { told: () => object; say: () => void; hasProblems: () => boolean },
): Promise<ExitCode> {
  let ended: Promise<void> | undefined;
  const end = (): void => void (ended ??= fills.end(cut));
  signal.addEventListener('abort', end, { once: true });
  let failure: unknown;
  try {
    await run();
  } catch (error) {
    failure = error;
  }
  signal.removeEventListener('abort', end);
  end();
  await ended;
  say();
  if (signal.aborted) return output.done(told(), EXIT.INTERRUPTED);
  if (failure !== undefined) return output.failed(failure, told());
  return output.done(told(), hasProblems() ? EXIT.PROBLEMS : EXIT.DONE);
}
