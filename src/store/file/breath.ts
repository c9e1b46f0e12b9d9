import { setImmediate } from 'node:timers/promises';

/** Longest time that synchronous looks at a disk may hold up the event loop, in ms. */
const SLICE_MS = 4;

/** Tells long synchronous work when to let other work have its turn. */
export class Breath {
  readonly #checkGoesOn: () => void;
  #end = performance.now() + SLICE_MS;

  /** `checkGoesOn` throws to end the work. */
  constructor(checkGoesOn: () => void) {
    this.#checkGoesOn = checkGoesOn;
  }

  get isDue(): boolean {
    return performance.now() > this.#end;
  }

  async take(): Promise<void> {
    await setImmediate();
    this.#checkGoesOn();
    this.#end = performance.now() + SLICE_MS;
  }
}
