import type { ErrorCode } from '../../model/isync-error.ts';

/** What came of an event. */
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
