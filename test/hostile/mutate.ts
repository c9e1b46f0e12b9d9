import type { Random } from '../../harness/random.ts';

/** Values at which lengths, counts, ids and offsets tend to go wrong. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  function flipBits(bytes, random) {
    for (let n = 1 + random.below(4); n > 0; n--) {
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    }
    return bytes;
  },
  function setByte(bytes, random) {
    bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  },
  function setInteger(bytes, random) {
    const width = random.pick([1, 2, 4] as const);
    if (bytes.length < width) return bytes;
    const value = random.pick(EDGES) % 2 ** (8 * width);
    bytes.writeUIntBE(value, random.below(bytes.length - width + 1), width);
    return bytes;
  },
  function cut(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length));
  },
  function extend(bytes, random) {
    return Buffer.concat([bytes, random.bytes(1 + random.below(64))]);
  },
  function remove(bytes, random) {
    const from = random.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + random.below(8))]);
  },
  function repeat(bytes, random) {
    const from = random.below(bytes.length);
    return Buffer.concat([bytes, bytes.subarray(from)]);
  },
  function splice(bytes, random, other) {
    return Buffer.concat([
      bytes.subarray(0, random.below(bytes.length)),
      other.subarray(random.below(other.length + 1)),
    ]);
  },
];

/** A copy of `message` with one to three faults; `other` is a message to take parts from. */
export function mutate(message: Buffer, random: Random, other: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(message);
  for (let n = 1 + random.below(3); n > 0 && bytes.length > 0; n--)
    bytes = random.pick(MUTATIONS)(bytes, random, other);
  return bytes;
}
