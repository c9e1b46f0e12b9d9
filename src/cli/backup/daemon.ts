import { once } from 'node:events';
import { Probe } from '../../backup/check/probe.ts';
import { dutiesOf, openDaemonPlace } from '../../backup/daemon/duties.ts';
import { JobWatch } from '../../backup/daemon/job-watch.ts';
import { type ScheduledDuty, Scheduler } from '../../backup/daemon/scheduler.ts';
import type { BackupJob } from '../../backup/job.ts';
import { openJobState } from '../../backup/state/open-state.ts';
import { JobNotices } from '../../backup/tell/job-notices.ts';
import { openNoticeQueue } from '../../notices/notice-queue.ts';
import { openNotifier } from '../../notices/open-notifier.ts';
import { pause } from '../../flow/wake-up.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { formatCount } from '../../observe/units.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { forgetStart } from '../heap-growth.ts';
import { ensureParent, type JobsWork } from './backup-command.ts';
import { openDaemonStatus } from './daemon-status.ts';
import { doDuty } from './duty-work.ts';
import { openStores } from './open-stores.ts';

/** A job whose state can't be opened is tried again this often, in ms, while the others go on. */
const OPEN_AGAIN_MS = 60_000;

/** Looks after all jobs of the file until a signal comes. */
export async function runDaemon(given: JobsWork): Promise<ExitCode> {
  const { jobs, configFile, log, output, signal } = given;
  if (configFile === undefined) throw new IsyncError('USAGE', 'a daemon needs --config FILE');
  await using opened = new AsyncDisposableStack();
  const watches: JobWatch[] = [];
  const scheduler = new Scheduler(log);
  const all: Promise<void>[] = [];
  const begin = async (job: BackupJob): Promise<void> => {
    const { watch, duties, follow } = await openJob(job, { ...given, configFile }, opened);
    watches.push(watch);
    scheduler.add(duties);
    all.push(follow);
    tellNext(given, job, duties);
  };
  const probe = new Probe({ jobs, log });
  // First: where its port is taken, nothing is to be broken off.
  let isStarting = true;
  await using status = await openDaemonStatus(given, {
    watches,
    probe,
    isStarting: () => isStarting,
    configFile,
  });
  const closed = await beginAll(jobs, begin, given);
  isStarting = false;
  forgetStart();
  const { url } = status;
  output.text(
    `isync backup: looking after ${formatCount(watches.length, 'job')}${url === undefined ? '' : ` (status at ${url})`}`,
  );
  output.object({
    event: 'started',
    jobs: jobs.map(({ name }) => name),
    ...(url !== undefined && { status: url }),
  });
  all.push(scheduler.follow(signal), probe.follow(signal), beginLater(closed, begin, given));
  given.reloads({});
  if (!signal.aborted) await once(signal, 'abort');
  await Promise.all(all);
  return output.done({}, EXIT.DONE);
}

interface OpenedJob {
  readonly watch: JobWatch;
  readonly duties: readonly ScheduledDuty[];
  /** Resolves once the signal has fired. */
  readonly follow: Promise<void>;
}

/** What it opens goes to `opened`, to be closed when nothing of any job is under way. */
async function openJob(
  job: BackupJob,
  given: JobsWork & { readonly configFile: string },
  opened: AsyncDisposableStack,
): Promise<OpenedJob> {
  const { config, configFile, signal } = given;
  const log = given.log.with({ job: job.name });
  await ensureParent(config, job);
  await using own = new AsyncDisposableStack();
  const { times } = own.use(await openDaemonPlace(job, log));
  const state = own.use(await openJobState(job.stateDir));
  const { stateDir } = job;
  const queue = own.use(await openNoticeQueue({ stateDir, notifiers: job.notify.map(openNotifier), log }));
  const notices = new JobNotices(job, queue);
  const watch = new JobWatch({ job, state, queue, openStores: () => openStores(job), log });
  const duties = dutiesOf({
    job,
    times,
    runs: state.runs.list(),
    work: (duty) => async (due, signal) =>
      await doDuty(duty, due, {
        job,
        runs: state.runs,
        notices,
        log,
        child: { config, configFile },
        changed: () => watch.changed(),
        signal,
      }),
  });
  opened.use(own.move());
  const follow = Promise.all([watch.follow(signal), queue.deliver(signal)]).then(() => undefined);
  return { watch, duties, follow };
}

/**
 * Begins with all jobs. One whose folder is read-only or damaged must not cost the others their backups.
 * @returns those that could not be opened
 * @throws IsyncError where none could
 */
async function beginAll(
  jobs: readonly BackupJob[],
  begin: (job: BackupJob) => Promise<void>,
  { log }: JobsWork,
): Promise<BackupJob[]> {
  const faults: { readonly job: BackupJob; readonly err: unknown }[] = [];
  for (const job of jobs) await begin(job).catch((err: unknown) => faults.push({ job, err }));
  const [first] = faults;
  if (first !== undefined && faults.length === jobs.length) throw first.err;
  for (const { job, err } of faults)
    log.error('a job can not be looked after; it is tried again each minute', { job: job.name, err });
  return faults.map(({ job }) => job);
}

/** Never rejects. */
async function beginLater(
  jobs: readonly BackupJob[],
  begin: (job: BackupJob) => Promise<void>,
  { log, signal }: JobsWork,
): Promise<void> {
  const waiting = new Set(jobs);
  while (waiting.size > 0 && !signal.aborted) {
    await pause(OPEN_AGAIN_MS, signal);
    for (const job of waiting) {
      if (signal.aborted) return;
      try {
        await begin(job);
        waiting.delete(job);
      } catch (err) {
        log.debug('a job can not be looked after yet', { job: job.name, err });
      }
    }
  }
}

function tellNext({ log }: JobsWork, { name }: BackupJob, duties: readonly ScheduledDuty[]): void {
  const nowMs = Date.now();
  const times = duties.map(({ duty, timetable }) => {
    const ms = timetable.nextMs(nowMs);
    const at = ms === Infinity ? 'never' : new Date(Math.max(ms, nowMs)).toISOString();
    return [duty === 'run' ? 'nextRun' : 'nextVerification', at] as const;
  });
  log.info('a job is looked after', { job: name, ...Object.fromEntries(times) });
}
