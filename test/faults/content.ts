import { crc32 } from 'node:zlib';

/**
 * Content that tells what it is. A file is a row of blocks, each of one write of the parser:
 *
 *     #isync ID LENGTH \n   LENGTH bytes that depend on ID   8 hex digits: CRC-32 of all that
 *
 * So whatever is read at the target can be told for a whole version, the beginning of one, or torn.
 */
export interface Block {
  readonly id: number;
  /** Bytes of the payload. */
  readonly length: number;
}

export const BLOCK_MAGIC = '#isync ';
const HEADER = /^#isync (\d+) (\d+) \n/;
const MAX_HEADER_BYTES = 32;
const TRAILER_BYTES = 8;

export function encodeBlock({ id, length }: Block): Buffer {
  const header = Buffer.from(`${BLOCK_MAGIC}${id} ${length} \n`);
  const bytes = Buffer.allocUnsafe(header.length + length + TRAILER_BYTES);
  header.copy(bytes);
  fill(bytes.subarray(header.length, header.length + length), id);
  const sum = crc32(bytes.subarray(0, header.length + length));
  bytes.write(sum.toString(16).padStart(TRAILER_BYTES, '0'), header.length + length);
  return bytes;
}

/** Ids of the whole blocks joined by ",": the name of a version. '' is the empty file. */
export type Version = string;

export interface Decoded {
  readonly version: Version;
  /** What follows the whole blocks. */
  readonly rest: 'none' | 'beginning' | 'torn';
}

export function decodeContent(bytes: Buffer): Decoded {
  const ids: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const left = bytes.subarray(at);
    const block = headerOf(left);
    if (block === undefined) return { version: ids.join(), rest: couldBeHeader(left) ? 'beginning' : 'torn' };
    const whole = encodeBlock(block);
    if (left.length < whole.length)
      return {
        version: ids.join(),
        rest: whole.subarray(0, left.length).equals(left) ? 'beginning' : 'torn',
      };
    if (!whole.equals(left.subarray(0, whole.length))) return { version: ids.join(), rest: 'torn' };
    ids.push(block.id);
    at += whole.length;
  }
  return { version: ids.join(), rest: 'none' };
}

export function headerOf(bytes: Buffer): (Block & { readonly headerBytes: number }) | undefined {
  const match = HEADER.exec(bytes.toString('latin1', 0, MAX_HEADER_BYTES));
  if (match === null) return undefined;
  return { id: Number(match[1]), length: Number(match[2]), headerBytes: match[0].length };
}

function couldBeHeader(bytes: Buffer): boolean {
  const text = bytes.toString('latin1', 0, MAX_HEADER_BYTES);
  return bytes.length < MAX_HEADER_BYTES && (text.startsWith(BLOCK_MAGIC) || BLOCK_MAGIC.startsWith(text));
}

/** xorshift32: no page of it repeats, and it is as fast as the disk. */
function fill(bytes: Buffer, id: number): void {
  let word = Math.imul(id + 1, 0x9e3779b1) | 1;
  for (let at = 0; at < bytes.length; at++) {
    if (at % 4 === 0) {
      word ^= word << 13;
      word ^= word >>> 17;
      word ^= word << 5;
    }
    bytes[at] = (word >>> ((at % 4) * 8)) & 0xff;
  }
}
