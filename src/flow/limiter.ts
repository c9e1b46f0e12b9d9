import { Fifo } from './fifo.ts';

/** Runs at most `width` tasks at a time, in the order in which they were given. */
export class Limiter {
  #free: number;
  readonly #waiting = new Fifo<() => void>();

  constructor(width: number) {
    this.#free = width;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn();
    try {
      return await task();
    } finally {
      this.#passOn();
    }
  }

  /** Resolves to a place among those at a time, for work that is no single task. Dispose of it when that is done. */
  async enter(): Promise<Disposable> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn();
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#passOn();
        held = false;
      },
    };
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Hands the ended task's place to the first that waits. */
  #passOn(): void {
    const begin = this.#waiting.shift();
    if (begin === undefined) this.#free += 1;
    else begin();
  }
}
