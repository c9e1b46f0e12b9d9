/** Where records come from: a message of a queue, a parked record, a comparison with the bucket. */
export interface Origin {
  readonly messageId: string;
  readonly attempt: number;
  /** See {@link import('./lanes.ts').Item}. */
  readonly staysMs: number;
  /** Whether what fails for good is left to the queue, not parked. */
  readonly hasRedrive: boolean;
  /** Of a message that is in hand: undefined where the record comes from elsewhere. */
  readonly holding?: Holding | undefined;
}

/** What becomes of a message in hand beside the verdicts of its records. */
export interface Holding {
  /** Whether it is one of a queue of our own: what fails is tried again from there, and buried there. */
  readonly isOurs: boolean;
  /** How often one of its records has failed for good, at most, as far as its queue or this process knows. */
  failures: number;
  /** How long its queue shall wait before it delivers it again, in ms. */
  releaseMs: number;
  /** Why it is to be buried. */
  buried: string | undefined;
}
