/** Told what a webhook does, for its metrics. No method throws. */
export interface WebhookObserver {
  /** A request was answered, `ms` after it came. */
  answered(status: number, ms: number): void;
  /** The records of a request are durable, `ms` after it came. */
  accepted(records: number, ms: number): void;
  /** A record that is none of ours; `name` is what its sender calls it. */
  ignored(name: string): void;
  parked(records: number): void;
}

export const NO_OBSERVER: WebhookObserver = {
  answered: () => undefined,
  accepted: () => undefined,
  ignored: () => undefined,
  parked: () => undefined,
};
