/** What may go on at once: so many of each kind, and so many in all. */
export class Places {
  readonly #most: number;
  #taken = 0;
  readonly #takenOf = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Takes a place when there is one, those of a kind in the order of their calls. Dispose of it in the end.
   * @returns undefined after `waitMs` without one
   * @throws the signal's reason
   */
  async enter(
    kind: string,
    mostOfKind: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<Disposable | undefined> {
    signal.throwIfAborted();
    if (this.#hasRoom(kind, mostOfKind)) return this.#take(kind);
    const { promise, resolve, reject } = Promise.withResolvers<Disposable | undefined>();
    const waiting = { kind, mostOfKind, resolve };
    this.#waiting.add(waiting);
    // It leaves at once: a place given to one that has gone would be lost.
    const leave = (settle: () => void) => (): void => {
      this.#waiting.delete(waiting);
      settle();
    };
    const abort = leave(() => reject(signal.reason));
    const timer = setTimeout(
      leave(() => resolve(undefined)),
      waitMs,
    );
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  #hasRoom(kind: string, mostOfKind: number): boolean {
    return this.#taken < this.#most && (this.#takenOf.get(kind) ?? 0) < mostOfKind;
  }

  #take(kind: string): Disposable {
    this.#taken += 1;
    this.#takenOf.set(kind, (this.#takenOf.get(kind) ?? 0) + 1);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#taken -= 1;
        this.#takenOf.set(kind, (this.#takenOf.get(kind) ?? 0) - 1);
        this.#serve();
      },
    };
  }

  #serve(): void {
    for (const waiting of this.#waiting) {
      if (this.#taken >= this.#most) return;
      if (!this.#hasRoom(waiting.kind, waiting.mostOfKind)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve(this.#take(waiting.kind));
    }
  }
}

interface Waiting {
  readonly kind: string;
  readonly mostOfKind: number;
  readonly resolve: (place: Disposable) => void;
}
