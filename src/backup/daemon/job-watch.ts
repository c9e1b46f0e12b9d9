import { Wakeup } from '../../flow/wake-up.ts';
import type { Log } from '../../model/log.ts';
import { readCatalogue } from '../catalogue/catalogue.ts';
import { chainFault } from '../catalogue/chain-fault.ts';
import { storeName } from '../check/store-health.ts';
import type { BackupJob } from '../job.ts';
import type { JobState, RunRecord } from '../state/job-state.ts';
import { jobStanding } from '../status/job-standing.ts';
import type { JobStanding } from '../status/metrics.ts';
import type { BackupTarget } from '../target/target.ts';
import { JobNotices } from '../tell/job-notices.ts';
import type { NoticeQueue } from '../../notices/notice-queue.ts';

/** How often a job is looked at, in ms: an overdue backup is told that soon. */
const LOOK_MS = 60_000;
/** How often its stores are listed though nothing has run here, in ms: others prune, and buckets have rules of their own. */
const LIST_MS = 60 * 60_000;
/** How long a store may fail until its listing is left for the next time, in ms. */
const LIST_GIVE_UP_MS = 30_000;

/** The complete backups of a store, as its last listing has them. */
type Listed = readonly { readonly version: number; readonly startedMs: number }[];

export interface JobWatchOptions {
  readonly job: BackupJob;
  readonly state: JobState;
  readonly queue: NoticeQueue;
  /** Opens the stores of the job. */
  readonly openStores: () => Promise<AsyncDisposable & { readonly targets: readonly BackupTarget[] }>;
  readonly log: Log;
}

/** What is known of a job while its daemon runs: by its state, and by listings of its stores now and then. */
export class JobWatch {
  readonly #options: JobWatchOptions;
  readonly #notices: JobNotices;
  readonly #wakeup = new Wakeup();
  readonly #backups = new Map<string, Listed>();
  /** By store: which run was the last when it was listed, and when that was. */
  readonly #listed = new Map<string, { readonly run: string; readonly atMs: number }>();

  constructor(options: JobWatchOptions) {
    this.#options = options;
    this.#notices = new JobNotices(options.job, options.queue);
  }

  /** Looks at the job each minute, and tells people of what is overdue. Never rejects. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look(signal);
      await this.#wakeup.sleep(LOOK_MS, signal);
    }
  }

  /** Has it looked at now: a run or a verification has ended. */
  changed(): void {
    this.#wakeup.wake();
  }

  /** Never rejects. */
  async look(signal: AbortSignal): Promise<void> {
    try {
      await this.#list(signal);
      const { newestMs } = this.standing();
      if (!signal.aborted) this.#notices.looked({ newestMs, nowMs: Date.now() });
    } catch (err) {
      if (!signal.aborted) this.#options.log.warn('a job could not be looked at', { err });
    }
  }

  /** Asks no store. @throws IsyncError where the state can't be read */
  standing(): JobStanding {
    const { job, state, queue } = this.#options;
    const standing = jobStanding({
      job,
      state,
      queue,
      notices: this.#notices,
      backups: this.#backups,
      nowMs: Date.now(),
    });
    // Where no store could be listed yet, the last good run tells: nobody must be woken for a network that is away.
    if (this.#backups.size > 0) return standing;
    const newestMs = standing.runs.find(isGood)?.startedMs;
    const age = this.#notices.ageOf({ newestMs, nowMs: Date.now() });
    return { ...standing, newestMs, isOverdue: age?.isOverdue ?? false };
  }

  /** Lists the stores that a run may have changed, those that were listed long ago, and those that could not be. */
  async #list(signal: AbortSignal): Promise<void> {
    const { job, state, openStores } = this.#options;
    const [last] = state.runs.list(1);
    const run = last === undefined ? '' : `${last.id} ${last.endedMs}`;
    const nowMs = Date.now();
    const isKnown = (store: string): boolean => {
      const listed = this.#listed.get(store);
      return listed?.run === run && Math.abs(nowMs - listed.atMs) < LIST_MS;
    };
    if (job.to.every((target) => isKnown(storeName(target)))) return;
    await using stores = await openStores();
    await Promise.all(
      stores.targets
        .filter(({ name }) => !isKnown(name))
        .map(async (target) => {
          if (await this.#listOne(target, signal)) this.#listed.set(target.name, { run, atMs: nowMs });
        }),
    );
  }

  async #listOne(target: BackupTarget, signal: AbortSignal): Promise<boolean> {
    const log = this.#options.log.with({ target: target.name });
    try {
      const catalogue = await readCatalogue(target, {
        log,
        signal,
        // A run may write there meanwhile. What either forgets is fetched once more.
        cache: this.#options.state.targets,
        giveUpAfterMs: LIST_GIVE_UP_MS,
      });
      const whole = catalogue.backups.filter(({ manifest }) => chainFault(catalogue, manifest) === undefined);
      this.#backups.set(
        target.name,
        whole.map(({ manifest: { version, startedMs } }) => ({ version, startedMs })),
      );
      return true;
    } catch (err) {
      if (!signal.aborted) log.debug('a store could not be listed', { err });
      return false;
    }
  }
}

/** Whether a run has made a backup somewhere, whatever else it had to say. */
export function isGood({ stage, backups }: RunRecord): boolean {
  return stage === 'done' || ((stage === 'problems' || stage === 'failed') && backups.length > 0);
}
