import type { ObjectHead } from '../../s3/content.ts';
import type { OriginError, OriginHead } from '../origin/origin.ts';

/** Brings missing objects: one fetch of a key at a time, whoever waits for it. */
export interface Fills {
  /**
   * Joins the fill of the key that is under way, or begins one. Only those that have passed the same mirrors join each other: in a
   * ring of mirrors, fills that wait for others' would wait for each other, and none would see the ring.
   */
  fill(key: MirrorKey, options?: FillOptions): Fill;
  /**
   * The origin's HEAD; nothing is filled. A recent "absent" is answered from memory; that to a HEAD alone is none for {@link fill}.
   * @param passed as of {@link FillOptions}
   */
  head(key: MirrorKey, signal: AbortSignal, passed?: readonly string[]): Promise<FillStart>;
  /** Where a client could ask for the key by itself; undefined where it could not, or where no rule fills the key. */
  urlOf(key: MirrorKey): string | undefined;
  /** What there is at this moment. */
  readonly state: FillsState;
  /** Resolves when no fill is under way. */
  settled(): Promise<void>;
  /** Lets fills under way come to their end, or cuts them when `cut` fires. New ones are refused. */
  end(cut: AbortSignal): Promise<void>;
}

/** A key of the mirror with the query that its rule makes a part of it. */
export interface MirrorKey {
  /** Of the object in the bucket. */
  readonly key: string;
  /** Decoded path alone. */
  readonly path: string;
  /** As it was sent, without "?"; undefined where the rule drops it, or there is none. */
  readonly query: string | undefined;
}

export interface FillOptions {
  /** Fires when the request waits no more. The fill goes on; the request no longer counts as one that waits. */
  readonly signal?: AbortSignal | undefined;
  /** On the clock of performance.now(): a fill that has not ended 10 s before is cut, with 302 where the client may go by itself. */
  readonly deadlineMs?: number | undefined;
  /** Ids of the mirrors that the request has been through (via.ts), which origins are told. Default: none. */
  readonly passed?: readonly string[] | undefined;
  /** The version in the bucket that may be replaced, where the key is not missing. Counts for a fill that this call begins. */
  readonly replaces?: ObjectHead | undefined;
}

export interface Fill {
  /** Whether another request had begun it. */
  readonly joined: boolean;
  /** Resolves with the head of the origin's answer. Never rejects. */
  readonly started: Promise<FillStart>;
  /** Resolves when all of the body has come; and where it does not, when nothing more is done about the key. Never rejects. */
  readonly received: Promise<void>;
  /**
   * The body as it comes; for a fill that has started with 'found'. To be called at once when it has started, without waiting for
   * anything else before: a small body may have ended by then. One that leaves does not stop the fill. Rejects where the body does not
   * come whole. Whoever calls it reads to the end, calls `return`, or has `signal` fire.
   */
  read(
    range: { readonly start?: number; readonly end?: number },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /** Resolves when nothing more is done about the key. Never rejects. */
  readonly ended: Promise<FillEnd>;
}

export type FillStart =
  | { readonly kind: 'found'; readonly head: OriginHead; readonly origin: string }
  /** No rule, or a key that is excepted. */
  | { readonly kind: 'unruled' }
  /** It was kept just before, after the caller had looked: to be looked for in the bucket once more. */
  | { readonly kind: 'present' }
  /** `remembered`: from the negative cache. */
  | { readonly kind: 'absent'; readonly remembered: boolean }
  /** What {@link OriginError} says, or a limit of ours (503). `url`: where the client may go by itself (302). */
  | { readonly kind: 'failed'; readonly error: OriginError; readonly url: string | undefined };

export type FillEnd =
  | { readonly kind: 'kept'; readonly bytes: number }
  /** The application has put one meanwhile; or it was there already. */
  | { readonly kind: 'present' }
  /** Passed on, but not kept: why. */
  | { readonly kind: 'passed'; readonly reason: string }
  /** As `started` says: absent, unruled or failed. */
  | { readonly kind: 'nothing' }
  /**
   * The origin, the spool or the bucket failed after the start. An {@link OriginError} says what the client is told. `isWhole`: all of
   * the body has come, and can be read.
   */
  | { readonly kind: 'failed'; readonly error: Error; readonly isWhole: boolean };

export interface FillsState {
  /** Fills under way, those that wait for a place among them. */
  readonly fills: number;
  /** Requests that wait for them. */
  readonly waiting: number;
  readonly spoolBytes: number;
  readonly breakers: readonly { readonly origin: string; readonly isOpen: boolean }[];
}
