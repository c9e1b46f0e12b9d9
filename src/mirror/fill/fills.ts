import type { OriginError, OriginHead } from '../origin/origin.ts';

/** Brings missing objects: one fetch of a key at a time, whoever waits for it. */
export interface Fills {
  /** Joins the fill of the key that is under way, or begins one. */
  fill(key: MirrorKey): Fill;
  /** The origin's HEAD; nothing is filled. A recent "absent" is answered from memory. */
  head(key: MirrorKey, signal: AbortSignal): Promise<FillStart>;
  /** Lets fills under way come to their end, or cuts them when `cut` fires. */
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

export interface Fill {
  /** Whether another request had begun it. */
  readonly joined: boolean;
  /** Resolves with the head of the origin's answer. Never rejects. */
  readonly started: Promise<FillStart>;
  /**
   * The body as it comes; for a fill that has started with 'found'. One that leaves does not stop the fill. Rejects where the body
   * does not come whole.
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
  /** `remembered`: from the negative cache. */
  | { readonly kind: 'absent'; readonly remembered: boolean }
  /** What {@link OriginError} says, or a limit of ours (503). `url`: where the client may go by itself (302). */
  | { readonly kind: 'failed'; readonly error: OriginError; readonly url: string | undefined };

export type FillEnd =
  | { readonly kind: 'kept'; readonly bytes: number }
  /** The application has put one meanwhile. */
  | { readonly kind: 'present' }
  /** Passed on, but not kept: why. */
  | { readonly kind: 'passed'; readonly reason: string }
  /** As `started` says: absent, unruled or failed. */
  | { readonly kind: 'nothing' }
  /** The origin or the bucket failed after the start. */
  | { readonly kind: 'failed'; readonly error: Error };
