import type { Mapping } from '../../../config/sync-map.ts';
import type { RelPath } from '../../../model/rel-path.ts';
import type { ObjectEvent } from '../../object-event.ts';
import type { Outcome } from '../outcome.ts';

/** A key to look at, and where its object goes. */
export interface Task {
  /** The last event of the key that waited. */
  readonly event: ObjectEvent;
  /** Of the message that the event came in. */
  readonly messageId: string;
  /** Deliveries of that message so far, from 1. */
  readonly attempt: number;
  readonly mapping: Mapping;
  /** Below the folder of the mapping. */
  readonly path: RelPath;
  /** A folder where the key ends with "/". */
  readonly kind: 'file' | 'folder';
  /** Whether a created event that finds no object is believed: it is looked at a second time before that. */
  readonly isLastLook: boolean;
}

/**
 * Makes the file of a key what the bucket has now. Calls for different keys overlap; those for one key come one after the
 * other. Rejects with an IsyncError: `retryable` for trouble that passes by itself, else for what somebody must mend; with the
 * reason of the signal when that fires.
 */
export type Apply = (task: Task, signal: AbortSignal) => Promise<Outcome>;
