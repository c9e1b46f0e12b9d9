import type { JobReport } from '../../backup/status/job-report.ts';
import type { RunRecord } from '../../backup/state/job-state.ts';
import { printable } from '../../observe/printable.ts';
import { formatBytes, formatCount, formatSeconds } from '../../observe/units.ts';

/** For people: a line for the job, and what belongs to it below. */
export function reportLines(report: JobReport, nowMs: number): string[] {
  const { job, runningPid, lastRun, targets, nextDueMs, resumable, problems } = report;
  const ago = (ms: number): string => `${formatSeconds((nowMs - ms) / 1000)} ago`;
  const running = runningPid === undefined ? '' : `, process ${runningPid} runs it now`;
  const due = nextDueMs === undefined ? '' : `, due in ${formatSeconds((nextDueMs - nowMs) / 1000)}`;
  return [
    `${job}: ${lastRun === undefined ? 'never run' : runText(lastRun, ago)}${running}${due}`,
    ...targets.map(({ target, newest }) => {
      if (newest === undefined) return `  ${target}: no backup is known here`;
      const { name, startedMs, counts } = newest;
      return `  ${target}: ${name}, ${ago(startedMs)}, ${formatCount(counts.files, 'file')}, ${formatBytes(counts.bytes)}`;
    }),
    ...resumable.map(
      (pack) =>
        `  the next run goes on with ${pack.name} of ${ago(pack.startedMs)} at ${pack.targets.join(', ')}${packedAnew(pack)}`,
    ),
    ...problems.map((problem) => `  ! ${problem}`),
  ].map(printable);
}

type Resumable = JobReport['resumable'][number];

/** An archive that was not packed to its end is packed again: its sources may have changed since. */
function packedAnew({ isOverflowed, packed }: Resumable): string {
  if (isOverflowed) return ': packed from its beginning, for it has outgrown the spool';
  return packed === undefined
    ? ': packed from its beginning; parts that are the same are not sent again'
    : '';
}

function runText({ stage, type, startedMs, endedMs }: RunRecord, ago: (ms: number) => string): string {
  if (endedMs === undefined) return `${type}, ${stage} since ${ago(startedMs)}`;
  return `${type}, ${stage} ${ago(endedMs)} after ${formatSeconds((endedMs - startedMs) / 1000)}`;
}

/** For programs. Ages are in seconds. */
export function reportObject(report: JobReport, nowMs: number): object {
  const { job, runningPid, lastRun, targets, nextDueMs, resumable, problems } = report;
  return {
    job,
    runningPid,
    lastRun: lastRun && {
      id: lastRun.id,
      type: lastRun.type,
      trigger: lastRun.trigger,
      stage: lastRun.stage,
      started: iso(lastRun.startedMs),
      ended: iso(lastRun.endedMs),
      backups: lastRun.backups,
      error: lastRun.error,
    },
    targets: targets.map(({ target, newest }) => ({
      target,
      newest: newest?.name,
      age: newest && Math.round((nowMs - newest.startedMs) / 1000),
    })),
    nextDue: iso(nextDueMs),
    resumable: resumable.map(({ name, targets: to, startedMs, isOverflowed, packed }) => ({
      name,
      targets: to,
      started: iso(startedMs),
      startsOver: isOverflowed || packed === undefined,
    })),
    problems,
  };
}

function iso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
