import { Backoff, type RetryPolicy } from './retry.ts';

/**
 * Holds jobs back while the place they go to is full. After each wait one job goes as a probe; once any job is kept there,
 * the gate opens again.
 */
export class FullGate<Job> {
  readonly #backoff: Backoff;
  readonly #signal: AbortSignal;
  readonly #onAdmits: () => void;
  readonly #onGiveUp: () => void;
  #state: 'open' | 'shut' | 'probing' = 'open';
  #probe: Job | undefined;

  constructor(policy: RetryPolicy, signal: AbortSignal, onAdmits: () => void, onGiveUp: () => void) {
    this.#backoff = new Backoff(policy);
    this.#signal = signal;
    this.#onAdmits = onAdmits;
    this.#onGiveUp = onGiveUp;
  }

  get admits(): boolean {
    return this.#state === 'open' || (this.#state === 'probing' && this.#probe === undefined);
  }

  admitted(job: Job): void {
    if (this.#state === 'probing') this.#probe = job;
  }

  /** Some job was kept. */
  kept(): void {
    if (this.#state === 'open') return;
    this.#state = 'open';
    this.#probe = undefined;
    this.#backoff.succeeded();
    this.#onAdmits();
  }

  /** `job` was refused because there is no room. */
  refused(job: Job): void {
    if (this.#state === 'shut' || (this.#state === 'probing' && this.#probe !== job)) return;
    this.#state = 'shut';
    this.#probe = undefined;
    void this.#reopen();
  }

  /** `job` came to another end than being kept or refused as too much; the next one may be the probe. */
  returned(job: Job): void {
    if (this.#probe !== job) return;
    this.#probe = undefined;
    this.#onAdmits();
  }

  async #reopen(): Promise<void> {
    let again: boolean;
    try {
      again = await this.#backoff.wait({ signal: this.#signal });
    } catch {
      return; // The queue has closed; nothing passes here any more.
    }
    if (this.#state !== 'shut') return;
    this.#state = 'probing';
    if (again) {
      this.#onAdmits();
      return;
    }
    this.#backoff.succeeded();
    this.#onGiveUp();
  }
}
