import { collectLeftovers, type LeftoverLimits, PartThinner } from './leftovers.ts';
import type { StagingArea } from './staging-area.ts';

/** How often leftovers are collected, in ms; also when the store is opened. */
const COLLECT_EVERY_MS = 3600 * 1000;

/** Removes what killed processes and abandoned uploads leave behind, from time to time; see leftovers.ts. */
export class LeftoverCollector {
  readonly #area: StagingArea;
  readonly #limits: LeftoverLimits;
  readonly #thinner: PartThinner;
  #timer: NodeJS.Timeout | undefined;
  #collecting: Promise<void> = Promise.resolve();

  constructor(area: StagingArea, limits: LeftoverLimits) {
    this.#area = area;
    this.#limits = limits;
    this.#thinner = new PartThinner(area, limits);
  }

  /** Collects every now and then, until it is stopped. */
  start(): void {
    this.#timer = setInterval(() => void this.collect(), COLLECT_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Never rejects. */
  async collect(): Promise<void> {
    this.#collecting = collectLeftovers(this.#area, this.#limits).catch(() => {
      // Nothing that is kept depends on it, the next round tries again, and a store that fails says so elsewhere.
    });
    await this.#collecting;
  }

  /** Notes that a part of `owner` (see partOwner) has been left. */
  left(owner: string): void {
    this.#thinner.left(owner);
  }

  async idle(): Promise<void> {
    await this.#collecting;
    await this.#thinner.idle();
  }
}
