/** Tasks that have begun are dropped from the queue when there are this many of them, and they are more than half of it. */
const MOST_BEGUN = 1024;

/** Runs at most `width` tasks at a time, in the order in which they were given. */
export class Limiter {
  readonly #width: number;
  #running = 0;
  #waiting: (() => void)[] = [];
  /** Index of the first in `#waiting` that has not begun: `shift()` would move thousands of others each time. */
  #next = 0;

  constructor(width: number) {
    this.#width = width;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#width) await this.#turn();
    else this.#running += 1;
    try {
      return await task();
    } finally {
      this.#passOn();
    }
  }

  /** Resolves to a place among those at a time, for work that is no single task. Dispose of it when that is done. */
  async enter(): Promise<Disposable> {
    if (this.#running >= this.#width) await this.#turn();
    else this.#running += 1;
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
    const begin = this.#waiting[this.#next];
    if (begin !== undefined) {
      this.#next += 1;
      if (this.#next >= MOST_BEGUN && 2 * this.#next > this.#waiting.length) {
        this.#waiting = this.#waiting.slice(this.#next);
        this.#next = 0;
      }
      begin();
      return;
    }
    this.#running -= 1;
    this.#waiting = [];
    this.#next = 0;
  }
}
