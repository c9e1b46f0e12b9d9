import { formatBytes, formatCount, formatSeconds } from '../../observe/units.ts';
import type { Occasion } from '../../notices/rule.ts';
import type { RunRecord, VerificationRecord } from '../state/job-state.ts';
import { makeNotice } from '../../notices/make-notice.ts';
import type { Notice, NoticeField } from '../../notices/notice.ts';

type Fields = Readonly<Partial<Record<NoticeField, string>>>;

/** @param target the one that failed, for what makes two failures the same */
export function runNotice(
  job: string,
  run: RunRecord,
  occasion: Extract<Occasion, 'start' | 'success' | 'problems' | 'failure'>,
  target = '',
): Notice {
  const atMs = occasion === 'start' ? run.startedMs : (run.endedMs ?? run.startedMs);
  const told = {
    start: `${job}: backup has begun`,
    success: `${job}: backup is complete`,
    problems: `${job}: backup is complete, with ${formatCount(run.problems, 'problem')}`,
    failure: `${job}: backup has failed${run.error === undefined ? '' : ` (${run.error.code})`}`,
  }[occasion];
  const { error } = run;
  return makeNotice({
    job,
    occasion,
    atMs,
    run: run.id,
    title: told,
    fields: occasion === 'start' ? { type: run.type } : fieldsOf(run),
    lines: [
      ...(error === undefined ? [] : [`Error: ${error.message}`]),
      ...(run.backups.length === 0 ? [] : [`Backup: ${run.backups.join(', ')}`]),
      ...(occasion === 'start'
        ? []
        : [
            `${formatCount(run.files, 'file')}, ${formatBytes(run.bytes)} in ${formatSeconds((atMs - run.startedMs) / 1000)}`,
          ]),
    ],
    sameness:
      occasion === 'failure' || occasion === 'problems'
        ? `${occasion} ${error?.code ?? ''} ${target}`.trimEnd()
        : undefined,
  });
}

export interface AgeFacts {
  readonly nowMs: number;
  readonly newestMs: number | undefined;
  readonly maxAgeMs: number;
  readonly isOverdue: boolean;
}

export function agedNotice(job: string, { nowMs, newestMs, maxAgeMs }: AgeFacts): Notice {
  const most = formatSeconds(maxAgeMs / 1000);
  const age = newestMs === undefined ? undefined : formatSeconds((nowMs - newestMs) / 1000);
  return makeNotice({
    job,
    occasion: 'overdue',
    atMs: nowMs,
    run: undefined,
    title: `${job}: backup is overdue`,
    fields: { age: age ?? '' },
    lines: [
      age === undefined
        ? `There is no complete backup, for longer than ${most}.`
        : `The newest complete backup is ${age} old, and may be ${most}.`,
    ],
    sameness: 'overdue',
  });
}

export function recoveredNotice(
  job: string,
  {
    atMs,
    sinceMs,
    run,
  }: { readonly atMs: number; readonly sinceMs: number; readonly run: RunRecord | undefined },
): Notice {
  const duration = formatSeconds((atMs - sinceMs) / 1000);
  return makeNotice({
    job,
    occasion: 'recovered',
    atMs,
    run: run?.id,
    title: `${job}: backup has recovered`,
    fields: { ...(run && fieldsOf(run)), duration },
    lines: [
      `It had been wrong for ${duration}.`,
      ...(run === undefined || run.backups.length === 0 ? [] : [`Backup: ${run.backups.join(', ')}`]),
    ],
    sameness: undefined,
  });
}

export interface VerifyFacts extends Pick<VerificationRecord, 'atMs' | 'depth' | 'fault'> {
  readonly target: string;
  /** Name of the backup. */
  readonly backup: string;
}

/** One that found a fault is a failure: who is told of those must hear of it. */
export function verifyNotice(job: string, { target, backup, atMs, depth, fault }: VerifyFacts): Notice {
  const isFault = fault !== undefined;
  return makeNotice({
    job,
    occasion: isFault ? 'failure' : 'verified',
    atMs,
    run: undefined,
    title: isFault ? `${job}: a backup does not read back` : `${job}: a backup reads back`,
    fields: { backups: backup, ...(isFault && { code: 'BACKUP_DAMAGED', error: fault }) },
    lines: [
      ...(isFault ? [`Error: ${fault}`] : []),
      `Backup: ${backup} at ${target} (${depth})`,
      ...(isFault ? ['The next run makes a full backup.'] : []),
    ],
    sameness: isFault ? `failure BACKUP_DAMAGED ${target} ${backup}` : undefined,
  });
}

function fieldsOf(run: RunRecord): Fields {
  const { type, startedMs, files, bytes, problems, retries, backups, error } = run;
  const seconds = Math.max(0, ((run.endedMs ?? startedMs) - startedMs) / 1000);
  return {
    type,
    backups: backups.join(', '),
    files: String(files),
    bytes: String(bytes),
    size: formatBytes(bytes),
    duration: formatSeconds(seconds),
    seconds: String(Math.round(seconds)),
    problems: String(problems),
    retries: String(retries),
    ...(error && { code: error.code, error: error.message }),
  };
}
