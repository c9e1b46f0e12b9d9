/** Longest delay that Node's timers take, in ms; a longer one would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** Lets one loop sleep until something happens. A wake while nobody sleeps is kept for the next `sleep`. */
export class Wakeup {
  #woken = false;
  #rouse: (() => void) | undefined;

  wake(): void {
    this.#woken = true;
    this.#rouse?.();
  }

  /** Returns after `milliseconds`, at the next `wake` or when `signal` fires, whichever is first. Never rejects. */
  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (!this.#woken) await timer(milliseconds, signal, (rouse) => (this.#rouse = rouse));
    this.#rouse = undefined;
    this.#woken = false;
  }
}

/** Returns after `milliseconds` or when `signal` fires. Never rejects. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await timer(milliseconds, signal, () => undefined);
}

/** Plain timers and listeners: composed signals on a signal that lives for months would pile up. */
async function timer(
  milliseconds: number,
  signal: AbortSignal,
  started: (end: () => void) => void,
): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timeout);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timeout = setTimeout(end, Math.min(milliseconds, MAX_DELAY_MS));
    signal.addEventListener('abort', end, { once: true });
    started(end);
  });
}
