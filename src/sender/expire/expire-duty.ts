import { setTimeout as sleep } from 'node:timers/promises';
import { toIsyncError } from '../../model/isync-error.ts';
import { expire } from './expire.ts';
import type { ExpireOptions, ExpireSummary } from './expire-options.ts';

/** How often it is looked whether something is due, in ms: a device that is filled at 50 MB/s takes 1.5 GB meanwhile. */
const LOOK_MS = 30_000;
/** A directory that had to stay is compared again after this long, in ms: each time all of it is read on both sides. */
const STAYS_MS = 3_600_000;
/** After a run that was ended by its target, the next one is this much later, in ms. */
const STOPPED_MS = 600_000;
/** How often the log repeats that room is short, in ms. */
const TOLD_EVERY_MS = 600_000;

export type ExpireDutyOptions = Omit<
  ExpireOptions,
  'dryRun' | 'maxDelete' | 'observer' | 'readBack' | 'spare'
> & {
  /** How often it is looked whether something is due, in ms. */
  readonly lookMs?: number | undefined;
};

/** Expires directories beside a scan, until the signal fires. What goes wrong is logged, and tried again later; never rejects. */
export async function expireDuty(options: ExpireDutyOptions): Promise<void> {
  const duty = new ExpireDuty(options);
  const { signal, lookMs = LOOK_MS } = options;
  while (!signal.aborted) {
    const restMs = await duty.run();
    await sleep(Math.max(restMs, lookMs), undefined, { signal }).catch(() => undefined);
  }
}

class ExpireDuty {
  readonly #options: ExpireDutyOptions;
  /** Until when a directory is left alone, by name. */
  readonly #spared = new Map<string, number>();
  #toldShortMs = -Infinity;

  constructor(options: ExpireDutyOptions) {
    this.#options = options;
  }

  /** Resolves to how long to rest at least, in ms. */
  async run(): Promise<number> {
    const { log, signal } = this.#options;
    const nowMs = performance.now();
    for (const [name, untilMs] of this.#spared) if (untilMs <= nowMs) this.#spared.delete(name);
    try {
      const { summary, failure } = await expire({
        ...this.#options,
        dryRun: false,
        maxDelete: undefined,
        readBack: false,
        spare: (name) => this.#spared.has(name),
        observer: {
          compared: () => undefined,
          expired: ({ name, files, bytes, because }) =>
            log.info('directory expired', { directory: name, files, bytes, because }),
          kept: (directory, { path, code, message }) => {
            this.#spared.set(directory, performance.now() + STAYS_MS);
            log.warn('due, and stays', { directory, path, code, reason: message });
          },
        },
      });
      this.#tellShort(summary);
      if (failure !== undefined) throw failure;
      return 0;
    } catch (thrown) {
      if (signal.aborted) return 0;
      const { code, message, path, hint } = toIsyncError(thrown, 'INTERNAL');
      // Somebody expires by hand.
      if (code === 'BUSY') return 0;
      log.error('nothing is expired for now', { code, reason: message, path, hint });
      return STOPPED_MS;
    }
  }

  #tellShort({ short, freeBytes, expired }: ExpireSummary): void {
    const nowMs = performance.now();
    if (!short || nowMs - this.#toldShortMs < TOLD_EVERY_MS) return;
    this.#toldShortMs = nowMs;
    this.#options.log.warn('room is short: what is left is too young, not sealed, or has to stay', {
      freeBytes,
      expired: expired.length,
    });
  }
}
