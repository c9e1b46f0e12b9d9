import type { LogFields, LogSeverity } from '../../model/log.ts';
import type { ToldError } from '../../model/told-error.ts';
import { FRAME_ROOM_BYTES } from '../pack/frames.ts';
import type { Packed, PackProgress } from '../pack/pack.ts';
import type { PackOrder } from './pack-order.ts';

/** Memory that both threads have: one writes a piece of the archive there, the other takes it. In bytes; a frame fits in. */
export const SLOT_BYTES = FRAME_ROOM_BYTES;
/** One is written to while one is taken; the third lets neither wait for the other. */
export const SLOTS = 3;

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
