import { pause } from '../../flow/wake-up.ts';
import type { Log } from '../../model/log.ts';
import type { BackupJob, JobTarget } from '../job.ts';
import { keepHealth } from './health-file.ts';
import { healthOf, isStoreUp, type StoreHealth } from './store-health.ts';

/** How often the stores are looked at, in ms: 12 small requests an hour and server, which cost nothing to speak of. */
const EVERY_MS = 5 * 60_000;
/** Connections to each server each time: enough to tell a slow one, and one that loses half. */
const SAMPLES = 4;

export interface ProbeOptions {
  readonly jobs: readonly Pick<BackupJob, 'name' | 'to' | 'stateDir'>[];
  readonly log: Log;
  /** For tests. Default {@link EVERY_MS}. */
  readonly everyMs?: number | undefined;
  /** For tests. Default {@link healthOf}. */
  readonly look?: typeof healthOf | undefined;
}

interface Store {
  readonly target: JobTarget;
  /** Jobs share stores, and one of them is asked for: the first. */
  readonly job: string;
  readonly stateDirs: Set<string>;
  health: StoreHealth | undefined;
}

/** Looks at the stores of all jobs again and again, and remembers how they were. */
export class Probe {
  readonly #stores: readonly Store[];
  readonly #log: Log;
  readonly #everyMs: number;
  readonly #look: typeof healthOf;

  constructor({ jobs, log, everyMs = EVERY_MS, look = healthOf }: ProbeOptions) {
    this.#stores = storesOf(jobs);
    this.#log = log;
    this.#everyMs = everyMs;
    this.#look = look;
  }

  /** How the stores were, the last time; those that were not looked at yet are missing. */
  get stores(): readonly StoreHealth[] {
    return this.#stores.map(({ health }) => health).filter((health) => health !== undefined);
  }

  /** Looks until the signal fires. Never rejects. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.lookOnce(signal);
      await pause(this.#everyMs, signal);
    }
  }

  /** Never rejects. */
  async lookOnce(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#stores.map(async (store) => await this.#lookAt(store, signal)));
    if (signal.aborted) return;
    const folders = new Set(this.#stores.flatMap(({ stateDirs }) => [...stateDirs]));
    for (const folder of folders) {
      const its = this.#stores.filter(({ stateDirs }) => stateDirs.has(folder));
      await keepHealth(
        folder,
        its.map(({ health }) => health).filter((health) => health !== undefined),
      );
    }
  }

  async #lookAt(store: Store, signal: AbortSignal): Promise<void> {
    const before = store.health;
    try {
      store.health = await this.#look(store.target, store.job, { samples: SAMPLES, signal });
    } catch (err) {
      if (!signal.aborted) this.#log.warn('a backup store could not be looked at', { job: store.job, err });
      return;
    }
    this.#tell(before, store.health);
  }

  /** Each change once. */
  #tell(before: StoreHealth | undefined, now: StoreHealth): void {
    const wasUp = before === undefined || isStoreUp(before);
    const isUp = isStoreUp(now);
    const { store } = now;
    if (wasUp && !isUp)
      this.#log.warn('a backup store can not be used', { store, faults: now.endpoints.map(faultText) });
    if (!wasUp && isUp) this.#log.info('a backup store can be used again', { store });
    for (const endpoint of now.endpoints) {
      const its = before?.endpoints.find((one) => one.endpoint === endpoint.endpoint);
      const wasWell = its === undefined || its.isUp;
      if (isUp && wasWell && !endpoint.isUp)
        this.#log.warn('a server of a backup store can not be used; the others are', {
          store,
          fault: faultText(endpoint),
        });
    }
  }
}

/** What is wrong with a server, in one line. */
export function faultText({ endpoint, fault, measured }: StoreHealth['endpoints'][number]): string {
  if (fault !== undefined) return `${endpoint}: ${fault.message} [${fault.code}]`;
  return `${endpoint}: ${measured?.lost ?? 0} of ${measured?.samples ?? 0} requests were lost`;
}

function storesOf(jobs: ProbeOptions['jobs']): readonly Store[] {
  const stores = new Map<string, Store>();
  for (const { name, to, stateDir } of jobs)
    for (const target of to) {
      const key = JSON.stringify(target);
      const known = stores.get(key);
      if (known === undefined)
        stores.set(key, { target, job: name, stateDirs: new Set([stateDir]), health: undefined });
      else known.stateDirs.add(stateDir);
    }
  return [...stores.values()];
}
