import { pack } from '../../protocol/packing.ts';

/** A packed message must be smaller by this part of the plain one to be worth the receiver's work. */
const LEAST_SAVING = 1 / 16;
/** After this many in a row that were not, the content counts as incompressible: media, archives. */
const VAIN_TRIES = 4;
/** Then one message in this many is tried: content may change, and a try costs no more than a digest of it. */
const TRY_EVERY = 16;
/**
 * How much longer than usual a message may be before it is packed. Longer ones compress better (logs of 16 KiB to 14 %, of
 * 64 KiB to 12 %); one that fails to does not hold up live files for much longer.
 */
const MAX_EXPANSION = 4;

/** Packs the messages of one kind of content, and leaves it by itself where that saves too little. */
export class Packer {
  #vain = 0;
  #skipped = 0;
  #expansion = 1;

  /** By which a message's length may be multiplied because it will shrink again, as the last one did. At least 1. */
  get expansion(): number {
    return this.#expansion;
  }

  /** Returns what to send for `message`, a FILES or CHUNK: PACKED, or the message itself. */
  pack(message: Buffer): Buffer {
    if (this.#vain >= VAIN_TRIES && ++this.#skipped < TRY_EVERY) return message;
    this.#skipped = 0;
    const packed = pack(message);
    if (packed.length > message.length * (1 - LEAST_SAVING)) {
      this.#vain++;
      this.#expansion = 1;
      return message;
    }
    this.#vain = 0;
    this.#expansion = Math.min(MAX_EXPANSION, message.length / packed.length);
    return packed;
  }
}
