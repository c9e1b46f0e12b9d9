import type { ObjectEvent } from '../object-event.ts';
import type { Outcome } from './outcome.ts';

/** An event whose turn it is. */
export interface Task<Target = unknown> {
  readonly event: ObjectEvent;
  /** What the {@link Route} of the event's key has told. */
  readonly target: Target;
  /** Of the message that the event came in: the same in each delivery, from the request to the action. */
  readonly messageId: string;
  /** Deliveries of the message so far, from 1. */
  readonly attempt: number;
  /** A message that has this record alone, as it came: JSON, at most 1 MiB. Made only when it is needed. */
  readonly body: () => string;
  /** Whether a created event that finds no object is believed: it is looked at a second time before that. */
  readonly isLastLook: boolean;
  /**
   * Gives its turn to the next one, while it waits for what costs nothing. It is done with when its promise settles, as ever; until
   * then the queue keeps its message, beside those that are worked on.
   */
  readonly leaveTurn?: (() => void) | undefined;
}

/**
 * Does what an event asks for. Calls for different places overlap; those for one place come one after the other. Rejects with an
 * IsyncError: `retryable` for trouble that passes by itself, else for what somebody must mend; with the reason of the signal
 * when that fires.
 */
export type Act<Target = unknown> = (task: Task<Target>, signal: AbortSignal) => Promise<Outcome>;

/** Where an event goes. */
export type Route<Target> =
  | {
      readonly kind: 'task';
      readonly target: Target;
      /** What is worked on by one at a time and in order: a path, or a key. */
      readonly place: string;
    }
  /** For nobody here; perhaps for another reader of the queue. */
  | { readonly kind: 'unmatched' }
  /** Nothing to do. */
  | { readonly kind: 'root' }
  /** `reason` goes on from "the key". */
  | { readonly kind: 'refused'; readonly reason: string };

/** What is done about events. */
export interface Action<Target = unknown> extends AsyncDisposable {
  /** Of the metrics: `download`, `script`, `copy`, `forward`. */
  readonly name: string;
  /**
   * Which of several events of a key that wait are acted on: where an action asks how the object is now, the newest is enough;
   * else each, but for exact repeats.
   */
  readonly needs: 'newest' | 'each';
  route(event: ObjectEvent): Route<Target>;
  readonly act: Act<Target>;
}
