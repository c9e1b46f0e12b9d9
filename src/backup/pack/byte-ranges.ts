import type { Abortable } from '../../model/abortable.ts';

/** Bytes of which any range can be read, any number of times: an object of a store, or what is left once encryption is taken off. */
export interface ByteRanges {
  /** Of all of them. */
  readonly size: number;
  /**
   * Bytes from `start` to before `end`, in pieces of any length, just as many as that. Leaving early gives the connection back.
   * Rejects with an IsyncError.
   */
  read(start: number, end: number, options?: Abortable): AsyncIterable<Uint8Array>;
}
