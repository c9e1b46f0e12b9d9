import type { IsyncError } from '../../model/isync-error.ts';
import type { ByteSink } from '../pack/pack.ts';

type SendPiece = (piece: { readonly slot: number; readonly length: number }) => void;

/** A sink in another thread, which it reaches by memory of both. */
export class SlotSink implements ByteSink {
  readonly #slots: readonly Uint8Array[];
  readonly #send: SendPiece;
  readonly #free: number[];
  /** The one that is being filled, so far. */
  #slot: number | undefined;
  #filled = 0;
  #refusal: IsyncError | undefined;
  /** Whoever waits for a slot, or for all of them. */
  #wake: (() => void) | undefined;

  /** @param send tells the other thread of bytes at the beginning of a slot, which is its own until taken() */
  constructor(slots: readonly Uint8Array[], send: SendPiece) {
    this.#slots = slots;
    this.#send = send;
    this.#free = [...slots.keys()];
  }

  /** Resolves when more may come. Rejects with what the sink of the other thread has, from then on. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      this.#slot ??= await this.#freeSlot();
      const memory = this.#slots[this.#slot];
      if (memory === undefined) throw new TypeError(`there is no slot ${this.#slot}`);
      const piece = bytes.subarray(at, at + memory.length - this.#filled);
      memory.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
      if (this.#filled === memory.length) this.#pass(this.#slot);
    }
  }

  /** After the last write. Resolves when all has been taken; rejects as write() does. */
  async end(): Promise<void> {
    if (this.#slot !== undefined) this.#pass(this.#slot);
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

  #pass(slot: number): void {
    this.#send({ slot, length: this.#filled });
    this.#slot = undefined;
    this.#filled = 0;
  }

  async #freeSlot(): Promise<number> {
    await this.#until(1);
    return this.#free.shift() ?? 0;
  }

  /** Until so many slots are free. */
  async #until(count: number): Promise<void> {
    while (this.#refusal === undefined && this.#free.length < count)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#refusal !== undefined) throw this.#refusal;
  }
}
