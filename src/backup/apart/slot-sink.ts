import type { IsyncError } from '../../model/isync-error.ts';
import type { ByteSink } from '../pack/pack.ts';

type SendPiece = (piece: { readonly slot: number; readonly length: number }) => void;

/** A sink in another thread, which it reaches by memory of both. */
export class SlotSink implements ByteSink {
  readonly #slots: readonly Uint8Array[];
  readonly #send: SendPiece;
  readonly #free: number[];
  #refusal: IsyncError | undefined;
  /** Whoever waits for a slot, or for all of them. */
  #wake: (() => void) | undefined;

  /** @param send tells the other thread of bytes at the beginning of a slot, which is its own until taken() */
  constructor(slots: readonly Uint8Array[], send: SendPiece) {
    this.#slots = slots;
    this.#send = send;
    this.#free = [...slots.keys()];
  }

  /** Resolves when the bytes are on their way. Rejects with what the sink of the other thread has, from then on. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      await this.#until(1);
      const slot = this.#free.pop() ?? 0;
      const memory = this.#slots[slot];
      if (memory === undefined) throw new TypeError(`there is no slot ${slot}`);
      const piece = bytes.subarray(at, at + memory.length);
      memory.set(piece);
      at += piece.length;
      this.#send({ slot, length: piece.length });
    }
  }

  /** Resolves when all has been taken; rejects as write() does. */
  async idle(): Promise<void> {
    await this.#until(this.#slots.length);
  }

  taken(slot: number): void {
    this.#free.push(slot);
    this.#wake?.();
  }

  refuse(error: IsyncError): void {
    this.#refusal = error;
    this.#wake?.();
  }

  /** Until so many slots are free. */
  async #until(count: number): Promise<void> {
    while (this.#refusal === undefined && this.#free.length < count)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#refusal !== undefined) throw this.#refusal;
  }
}
