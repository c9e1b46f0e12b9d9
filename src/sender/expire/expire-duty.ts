import { setTimeout as sleep } from 'node:timers/promises';
import { toIsyncError } from '../../model/isync-error.ts';
import type { Target } from '../target.ts';
import { expire } from './expire.ts';
import type { ExpireOptions, ExpireSummary } from './expire-options.ts';
import { isShort, roomOf } from './room.ts';
import { whyShort } from './why-short.ts';

/** How often it is looked whether something is due, in ms. */
const LOOK_MS = 30_000;
/** How often it is looked whether room is short, in ms: a device that is filled at 50 MB/s takes 25 MB meanwhile. It costs one statfs(2). */
const ROOM_MS = 500;
/** A directory that had to stay is compared again after this long, in ms: each time all of it is read on both sides. */
const STAYS_MS = 3_600_000;
/** After a run that was ended by its target, the next one is this much later, in ms. */
const STOPPED_MS = 600_000;
/** How often the log repeats that room is short, in ms. */
const TOLD_EVERY_MS = 600_000;
/** How long a target may leave everything unanswered before the log says that it is waited for, in ms. */
const SILENT_MS = 5_000;

const WAITING = 'directories are due, and stay until they can be compared with the target';

export type ExpireDutyOptions = Omit<
  ExpireOptions,
  'connect' | 'dryRun' | 'maxDelete' | 'observer' | 'readBack' | 'spare'
> & {
  /**
   * Opens a link for one run, which ends with it. What is sent waits in buffers before a receiver that is slow to write, and questions on
   * the same link would wait behind it. Default: `target` is asked.
   */
  readonly openLink?: (() => Promise<ExpireLink>) | undefined;
  /** How often it is looked whether something is due, in ms. */
  readonly lookMs?: number | undefined;
};

interface ExpireLink extends AsyncDisposable {
  readonly target: Target;
}

/** Expires directories beside a scan, until the signal fires. What goes wrong is logged, and tried again later; never rejects. */
export async function expireDuty(options: ExpireDutyOptions): Promise<void> {
  const duty = new ExpireDuty(options);
  const { signal } = options;
  while (!signal.aborted) {
    const rest = await duty.run();
    await duty.rest(rest);
  }
}

/** How long to rest after a run, and whether to begin sooner where room gets short. */
interface Rest {
  readonly ms: number;
  readonly untilShort: boolean;
}

class ExpireDuty {
  readonly #options: ExpireDutyOptions;
  /** Until when a directory is left alone, by name. */
  readonly #spared = new Map<string, number>();
  #toldShortMs = -Infinity;
  #toldWaitingMs = -Infinity;

  constructor(options: ExpireDutyOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async run(): Promise<Rest> {
    const { log, signal, lookMs = LOOK_MS } = this.#options;
    const nowMs = performance.now();
    for (const [name, untilMs] of this.#spared) if (untilMs <= nowMs) this.#spared.delete(name);
    try {
      const { summary, failure } = await this.#expire();
      if (!signal.aborted) this.#tellShort(summary);
      if (failure !== undefined) throw failure;
      // What could not be made room of now can't be so in a moment.
      return { ms: lookMs, untilShort: !summary.short };
    } catch (thrown) {
      const { code, message, path, hint } = toIsyncError(thrown, 'INTERNAL');
      // Somebody expires by hand.
      if (signal.aborted || code === 'BUSY') return { ms: lookMs, untilShort: false };
      if (code === 'UNREACHABLE') {
        this.#tellWaiting(message);
        return { ms: lookMs, untilShort: false };
      }
      log.error('nothing is expired for now', { code, reason: message, path, hint });
      return { ms: Math.max(STOPPED_MS, lookMs), untilShort: false };
    }
  }

  async rest({ ms, untilShort }: Rest): Promise<void> {
    const { minFree, signal } = this.#options;
    const endMs = performance.now() + ms;
    const stepMs = untilShort && minFree !== undefined ? ROOM_MS : ms;
    while (!signal.aborted) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return;
      await sleep(Math.min(stepMs, leftMs), undefined, { signal }).catch(() => undefined);
      if (untilShort && this.#isShort()) return;
    }
  }

  async #expire() {
    const { openLink, log } = this.#options;
    await using links = new AsyncDisposableStack();
    let asked = this.#options.target;
    const connect =
      openLink &&
      (async (): Promise<Target> => {
        ({ target: asked } = links.use(await openLink()));
        return asked;
      });
    using _ = this.#watchWaiting(() => asked);
    return await expire({
      ...this.#options,
      connect,
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
  }

  /** Says that directories are due and wait for a target that does not answer, from then on as often as that room is short. */
  #watchWaiting(target: () => Target): Disposable {
    const timer = setInterval(() => {
      if (target().stalled) this.#tellWaiting('the target does not answer');
    }, SILENT_MS);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  #tellWaiting(reason: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldWaitingMs < TOLD_EVERY_MS) return;
    this.#toldWaitingMs = nowMs;
    const short = this.#isShort();
    this.#options.log.warn(`${WAITING}${short ? ', and room is short' : ''}`, { reason });
  }

  /** Where that can't be told, the next run says why. */
  #isShort(): boolean {
    const { root, minFree } = this.#options;
    try {
      return isShort(roomOf(root), minFree);
    } catch {
      return false;
    }
  }

  #tellShort(summary: ExpireSummary): void {
    const nowMs = performance.now();
    if (!summary.short || nowMs - this.#toldShortMs < TOLD_EVERY_MS) return;
    this.#toldShortMs = nowMs;
    const { freeBytes, totalBytes, expired } = summary;
    this.#options.log.warn('room is short, and no more can be made', {
      reason: whyShort(summary),
      freeBytes,
      totalBytes,
      expired: expired.length,
    });
  }
}
