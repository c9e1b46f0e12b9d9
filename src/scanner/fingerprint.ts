import type { ListedFile } from './listed-file.ts';

/**
 * A hash of a multiset of things, each a path with some numbers: equal for two listings that saw the same things in
 * any order, and different otherwise but for a chance of about 2^-64. Not meant against somebody who wants them equal.
 *
 * Each thing is hashed to two 32-bit lanes, which are summed apart; BigInt sums would cost more than the lstat.
 */
export class Fingerprint {
  #a = 0;
  #b = 0;

  /** Numbers may be negative and up to 2^53; their fractions do not count. */
  add(path: string, ...numbers: readonly number[]): void {
    let a = SEED_A;
    let b = SEED_B;
    for (let index = 0; index < path.length; index++) {
      const unit = path.charCodeAt(index);
      a = Math.imul(rotate(a, 5) ^ unit, PRIME_A);
      b = Math.imul(rotate(b, 13) ^ unit, PRIME_B);
    }
    for (const number of numbers) {
      const high = Math.floor(number / 2 ** 32);
      a = Math.imul(rotate(Math.imul(rotate(a, 5) ^ number, PRIME_A), 15) ^ high, PRIME_B);
      b = Math.imul(rotate(Math.imul(rotate(b, 13) ^ number, PRIME_B), 17) ^ high, PRIME_A);
    }
    // Each step can be undone, so the lanes together keep 64 bits.
    a = avalanche(a + b);
    b = avalanche(b + a);
    this.#a = (this.#a + a) | 0;
    this.#b = (this.#b + b) | 0;
  }

  /** Adds a file as rounds and seals know it. */
  addFile({ entry, identity }: ListedFile): void {
    this.add(entry.path, entry.size, entry.mtimeUs, identity.ino);
  }

  /** 52 of its bits, which a number holds exactly. */
  toNumber(): number {
    return (this.#a & 0xf_ffff) * 2 ** 32 + (this.#b >>> 0);
  }

  /** 16 hexadecimal digits; of an empty set zeros. */
  toString(): string {
    return hex(this.#a) + hex(this.#b);
  }
}

const SEED_A = 0x243f6a88;
const SEED_B = 0x85a308d3;
const PRIME_A = 0x9e3779b1;
const PRIME_B = 0x85ebca77;

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** The finalizer of MurmurHash3 (32 bit): every bit of the input changes every bit of the output half of the time. */
function avalanche(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
