import type { Abortable } from '../../model/abortable.ts';
import type { Welcome } from '../../protocol/messages.ts';
import type { TargetIdentity } from '../target.ts';

/** Answers who is at the other end of the link; callers may ask while there is no link, and wait. */
export class Peer {
  readonly #asking = new Set<PromiseWithResolvers<TargetIdentity>>();
  #identity: TargetIdentity | undefined;
  #closedBy: { readonly reason: unknown } | undefined;

  /** Waits for a link where there is none. */
  async identify({ signal }: Abortable = {}): Promise<TargetIdentity> {
    if (this.#closedBy !== undefined) throw this.#closedBy.reason;
    signal?.throwIfAborted();
    if (this.#identity !== undefined) return this.#identity;
    const answer = Promise.withResolvers<TargetIdentity>();
    const abort = () => answer.reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    this.#asking.add(answer);
    try {
      return await answer.promise;
    } finally {
      this.#asking.delete(answer);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** A link stands. */
  met(identity: TargetIdentity): void {
    this.#identity = identity;
    for (const { resolve } of this.#asking) resolve(identity);
  }

  /** The link is gone. */
  lost(): void {
    this.#identity = undefined;
  }

  rejectAll(reason: unknown): void {
    for (const { reject } of this.#asking) reject(reason);
  }

  /** Rejects everything, now and later, with `reason`. */
  close(reason: unknown): void {
    if (this.#closedBy !== undefined) return;
    this.#closedBy = { reason };
    this.rejectAll(reason);
  }
}

/**
 * Returns the identity in a WELCOME. A receiver that tells no store may have another one each time, so nothing that it
 * confirms counts beyond the session.
 */
export function targetIdentityOf({ session, store }: Welcome): TargetIdentity {
  if (store === undefined) return { store: undefined, incarnation: session, listedMtime: false };
  const { id, process, listedMtime } = store;
  return { store: id, incarnation: JSON.stringify([id, process]), listedMtime };
}
