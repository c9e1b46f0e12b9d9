import { Fifo } from './fifo.ts';

interface Waiting {
  readonly bytes: number;
  readonly begin: (taken: Disposable) => void;
}

/** Bounds the bytes that are held at once. Who needs more than all of them holds them alone. */
export class ByteBudget {
  readonly #most: number;
  #free: number;
  readonly #waiting = new Fifo<Waiting>();

  constructor(most: number) {
    this.#most = most;
    this.#free = most;
  }

  /** The same as {@link take}, where that need not wait; undefined where it must. */
  tryTake(bytes: number): Disposable | undefined {
    const counted = Math.min(bytes, this.#most);
    return this.#waiting.length === 0 && counted <= this.#free ? this.#taken(counted) : undefined;
  }

  /** Resolves when there is room, in the order of the calls. Dispose of it when the bytes are no longer held. */
  async take(bytes: number): Promise<Disposable> {
    const taken = this.tryTake(bytes);
    if (taken !== undefined) return taken;
    return await new Promise((begin) => {
      this.#waiting.push({ bytes: Math.min(bytes, this.#most), begin });
    });
  }

  #taken(bytes: number): Disposable {
    this.#free -= bytes;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#free += bytes;
        this.#serve();
      },
    };
  }

  #serve(): void {
    for (
      let first = this.#waiting.peek();
      first !== undefined && first.bytes <= this.#free;
      first = this.#waiting.peek()
    ) {
      this.#waiting.shift();
      first.begin(this.#taken(first.bytes));
    }
  }
}
