import type { LogFields, LogSeverity } from '../../model/log.ts';
import type { ToldError } from '../../model/told-error.ts';
import type { Packed, PackProgress } from '../pack/pack.ts';
import type { PackOrder } from './pack-order.ts';

/**
 * Memory that both threads have: one fills it with bytes of the archive, the other takes them. In bytes: each takes a turn of both
 * threads, and of the pool for the spool.
 */
export const SLOT_BYTES = 2 * 1024 * 1024;
/** One is filled while one is taken; the others let neither wait for the other. */
export const SLOTS = 4;

/** What the thread is started with. */
export interface ThreadWork {
  readonly order: PackOrder;
  /** Each SLOT_BYTES long. */
  readonly slots: readonly Uint8Array[];
}

/** To the thread. */
export type Asked =
  /** The slot may be written to again. */
  | { readonly taken: number }
  /** No more is wanted. */
  | { readonly refused: ToldError }
  | { readonly aborted: ToldError };

/** From the thread; the last one is `packed` or `failed`. */
export type Told =
  /** The next bytes of the archive, at the beginning of a slot. */
  | { readonly piece: { readonly slot: number; readonly length: number } }
  | {
      readonly line: {
        readonly severity: LogSeverity;
        readonly message: string;
        readonly fields: LogFields;
        readonly err: ToldError | undefined;
      };
    }
  | { readonly progress: PackProgress }
  /** All pieces have been taken. */
  | { readonly packed: Packed }
  | { readonly failed: ToldError };
