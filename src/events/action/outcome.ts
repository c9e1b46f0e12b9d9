import type { Mapping } from '../../config/sync-map.ts';
import type { ErrorCode } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import type { ObjectEvent } from '../object-event.ts';

/** A key to look at, and where its object goes. */
export interface Task {
  /** The last event of the key that waited. */
  readonly event: ObjectEvent;
  readonly mapping: Mapping;
  /** Below the folder of the mapping. */
  readonly path: RelPath;
  /** A folder where the key ends with "/". */
  readonly kind: 'file' | 'folder';
  /** Whether a created event that finds no object is believed: it is looked at a second time before that. */
  readonly isLastLook: boolean;
}

/** What came of a look at a key. */
export type Outcome =
  /** A version of the object is durable at its path. */
  | { readonly outcome: 'written'; readonly bytes: number }
  /** The object is gone, and so is what was written for it. */
  | { readonly outcome: 'removed' }
  /** Done, by an action that writes no bytes of the object here. */
  | { readonly outcome: 'done' }
  /** What is here is what the bucket has. */
  | { readonly outcome: 'unchanged' }
  /** There is no such object yet, though an event said so: to be looked at again soon. */
  | { readonly outcome: 'missing' }
  /** Nothing that trying again mends: only a person, or another event. */
  | {
      readonly outcome: 'parked';
      readonly code: ErrorCode;
      readonly reason: string;
      readonly hint?: string | undefined;
    };

/**
 * Makes the file of a key what the bucket has now. Calls for different keys overlap; those for one key come one after the
 * other. Rejects with an IsyncError: `retryable` for trouble that passes by itself, else for what somebody must mend; with the
 * reason of the signal when that fires.
 */
export type Apply = (task: Task, signal: AbortSignal) => Promise<Outcome>;
