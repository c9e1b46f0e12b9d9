/** Counts requests that wait for fills, up to a limit. */
export class WaitingRequests {
  readonly #most: number;
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.#most;
  }

  /** Counts one until `ended` resolves or `signal` fires. */
  add(ended: Promise<unknown>, signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) return;
    this.#count += 1;
    let isCounted = true;
    const leave = (): void => {
      if (!isCounted) return;
      isCounted = false;
      this.#count -= 1;
      signal?.removeEventListener('abort', leave);
    };
    signal?.addEventListener('abort', leave, { once: true });
    void ended.then(leave);
  }
}
