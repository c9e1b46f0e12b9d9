import type { RunResult, TargetFailure } from '../../backup/run/run-request.ts';
import { toIsyncError } from '../../model/isync-error.ts';
import { printable } from '../../observe/printable.ts';
import { formatBytes, formatCount } from '../../observe/units.ts';
import { EXIT, exitCodeOf, type ExitCode } from '../exit-codes.ts';

/** 0 where the run is complete everywhere, without problems; 1 where something is complete; else what ended it says. */
export function runExitCode({ run, error, failures, backups }: RunResult): ExitCode {
  const [failure] = failures;
  const cause = error ?? (backups.length === 0 ? failure?.error : undefined);
  if (cause !== undefined) return exitCodeOf(toIsyncError(cause, 'INTERNAL').code);
  return run.stage === 'done' ? EXIT.DONE : EXIT.PROBLEMS;
}

/** For people. */
export function resultLines({ backups, failures, pruned }: RunResult): string[] {
  return [
    ...backups.map(({ manifest, reason, targets }) => {
      const { name, type, counts, isShrunk } = manifest;
      const { files, bytes, storedFiles, storedBytes, problems } = counts;
      const wrong = problems === 0 ? '' : `; ${formatCount(problems, 'problem')}`;
      const shrunk = isShrunk
        ? '; half of the one before or less: nothing is pruned until you agree (isync backup prune --agree)'
        : '';
      return printable(
        `${name}: ${type} (${reason}), ${formatCount(files, 'file')}, ${formatBytes(bytes)}; stored ${formatCount(storedFiles, 'file')}, ${formatBytes(storedBytes)}, at ${targets.join(', ')}${wrong}${shrunk}`,
      );
    }),
    ...failureLines(failures),
    ...pruned.flatMap(({ target, backups: its, bars }) => [
      ...its
        .filter(({ fate }) => fate === 'removed')
        .map(({ name }) => printable(`${name}: removed from ${target}, no rule keeps it`)),
      ...bars.map((bar) => printable(`${target}: nothing is removed: ${bar}`)),
    ]),
  ];
}

export function failureLines(failures: readonly TargetFailure[]): string[] {
  return failures.map(({ target, error }) => {
    const { code, message } = toIsyncError(error, 'INTERNAL');
    return printable(`${target}: failed: ${message} [${code}]`);
  });
}

/** For programs. */
export function resultObject(job: string, { run, backups, failures, pruned }: RunResult): object {
  return {
    job,
    run: run.id,
    outcome: run.stage,
    started: new Date(run.startedMs).toISOString(),
    ended: new Date(run.endedMs ?? run.startedMs).toISOString(),
    retries: run.retries,
    backups: backups.map(({ manifest, reason, targets }) => {
      const { name, version, type, counts, isShrunk, archive } = manifest;
      return { name, version, type, reason, targets, size: archive.size, ...counts, isShrunk };
    }),
    failures: failureObjects(failures),
    pruned: pruned.map(({ target, bars, backups: its }) => ({
      target,
      bars,
      removed: its.filter(({ fate }) => fate === 'removed').map(({ name }) => name),
    })),
  };
}

export function failureObjects(failures: readonly TargetFailure[]): readonly object[] {
  return failures.map(({ target, error }) => {
    const { code, message, hint } = toIsyncError(error, 'INTERNAL');
    return { target, code, message, hint };
  });
}
