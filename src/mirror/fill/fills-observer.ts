import type { FillEnd } from './fills.ts';

/** Is told what fills do, for metrics. No method throws; each returns at once. */
export interface FillsObserver {
  /** A fill has begun. */
  began(rule: string): void;
  /** A request has joined a fill. */
  joined(rule: string): void;
  /** `bytes`: of the body, as far as it came. */
  ended(rule: string, end: FillEnd, bytes: number): void;
  /** A request was refused at a limit of ours. */
  refused(reason: Refused): void;
  /** An origin has answered a request, or failed. `ms`: until the head of its answer. */
  asked(origin: string, outcome: 'found' | 'absent' | 'failed', ms: number): void;
  /** Bytes of a body have come. */
  received(origin: string, bytes: number): void;
  /** A breaker has opened or closed. */
  breaker(origin: string, isOpen: boolean): void;
}

/** Which limit it was: places for fills, requests that wait, room in the spool; or the end of the process. */
export type Refused = 'fills' | 'waiting' | 'spool' | 'ending';

export const NO_OBSERVER: FillsObserver = {
  began: () => {},
  joined: () => {},
  ended: () => {},
  refused: () => {},
  asked: () => {},
  received: () => {},
  breaker: () => {},
};
