import * as fc from 'fast-check';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import { decodeSenderMessage, encode } from '../../src/protocol/codec.ts';
import { MAX_CHUNK_BYTES, MAX_MESSAGE_BYTES } from '../../src/protocol/limits.ts';
import type { Packed } from '../../src/protocol/messages.ts';
import { pack, unpack } from '../../src/protocol/packing.ts';
import { algorithms, inlineFiles, senderMessages } from './arbitraries.ts';

const CHUNK = encode({ type: 'chunk', id: 7, offset: 9, content: Buffer.from('content '.repeat(50)) });

function packed(bytes: Buffer): Packed {
  const message = decodeSenderMessage(bytes, 'xxh64');
  if (message.type !== 'packed') throw new Error(message.type);
  return message;
}

/** 'fine' when it unpacks, else the message of the IsyncError PROTOCOL; anything else that is thrown fails the test. */
function outcome(frame: Buffer, length = CHUNK.length): string {
  try {
    unpack({ type: 'packed', length, frame }, 'xxh64');
    return 'fine';
  } catch (error) {
    if (error instanceof IsyncError && error.code === 'PROTOCOL') return error.message;
    throw error;
  }
}

/** A frame by hand (RFC 8878, 3.1.1): this header, then all of `content` in one raw block. */
function frameOf(header: readonly number[], content: Buffer): Buffer {
  const block = Buffer.alloc(3);
  block.writeUIntLE((content.length << 3) | 1, 0, 3);
  return Buffer.concat([Buffer.of(0x28, 0xb5, 0x2f, 0xfd, ...header), block, content]);
}

/** No flags, then a window of 2^`log` bytes. */
const windowOf = (log: number): number[] => [0, (log - 10) << 3];

describe('PACKED', () => {
  it('gives back what was packed', () => {
    const cases = algorithms.chain((algorithm) =>
      fc.tuple(
        fc.constant(algorithm),
        fc.array(inlineFiles(algorithm), { minLength: 1, maxLength: 8 }),
        fc.nat(0xffff_ffff),
      ),
    );
    fc.assert(
      fc.property(cases, ([algorithm, files, firstId]) => {
        const message = { type: 'files', firstId, files } as const;
        expect(unpack(packed(pack(encode(message))), algorithm)).toEqual(message);
      }),
    );
  });

  it.each([1, 2, 100, MAX_CHUNK_BYTES - 1, MAX_CHUNK_BYTES])('gives back a chunk of %i bytes', (length) => {
    for (const content of [
      Buffer.alloc(length),
      Buffer.alloc(length, 'some text of a log, line by line\n'),
    ]) {
      const chunk = { type: 'chunk', id: 1, offset: 0, content } as const;
      expect(unpack(packed(pack(encode(chunk))), 'xxh64')).toEqual(chunk);
    }
  });

  it('holds FILES or CHUNK and nothing else', () => {
    fc.assert(
      fc.property(senderMessages('xxh64'), (message) => {
        const plain = encode(message);
        const may = message.type === 'files' || message.type === 'chunk';
        expect(outcome(zstdCompressSync(plain), plain.length) === 'fine').toBe(may);
      }),
    );
  });

  it('claims 1 to MAX_MESSAGE_BYTES', () => {
    const claim = (length: number) => encode({ type: 'packed', length, frame: Buffer.alloc(1) });
    for (const length of [1, MAX_MESSAGE_BYTES])
      expect(decodeSenderMessage(claim(length), 'xxh64')).toMatchObject({ length });
    for (const length of [0, MAX_MESSAGE_BYTES + 1, 0xffff_ffff])
      expect(() => decodeSenderMessage(claim(length), 'xxh64')).toThrow('of this length');
  });

  it('is refused when cut anywhere, and with anything behind it', () => {
    for (const frame of [zstdCompressSync(CHUNK), frameOf(windowOf(10), CHUNK)]) {
      expect(outcome(frame)).toBe('fine');
      for (let length = 0; length < frame.length; length++)
        expect(outcome(frame.subarray(0, length))).not.toBe('fine');
      for (const more of [Buffer.of(0), frame, zstdCompressSync(Buffer.alloc(0))])
        expect(outcome(Buffer.concat([frame, more]))).toBe('malformed message: bytes after the zstd frame');
    }
  });

  it('is refused unless it is just as long as it claims', () => {
    const frame = zstdCompressSync(CHUNK);
    for (const length of [1, CHUNK.length - 1, CHUNK.length + 1, MAX_MESSAGE_BYTES])
      expect(outcome(frame, length)).not.toBe('fine');
  });

  it('takes no more memory for a bomb than its claim', () => {
    const bomb = zstdCompressSync(Buffer.alloc(512 * 1024 * 1024));
    const claim = { type: 'packed', length: MAX_MESSAGE_BYTES, frame: bomb } as const;
    const before = process.resourceUsage().maxRSS;
    expect(() => unpack(claim, 'xxh64')).toThrow('of the length that PACKED claims');
    // What it would unpack to is 512 MiB; what other tests have left behind may grow meanwhile.
    expect((process.resourceUsage().maxRSS - before) * 1024).toBeLessThan(200 * 1024 * 1024);
  });

  it('is refused with a window larger than a message', () => {
    const most = Math.log2(MAX_MESSAGE_BYTES);
    expect(outcome(frameOf(windowOf(most), CHUNK))).toBe('fine');
    for (const log of [most + 1, 27, 41]) expect(outcome(frameOf(windowOf(log), CHUNK))).not.toBe('fine');
  });

  it('is refused with a dictionary', () => {
    expect(outcome(frameOf([0, 0], CHUNK))).toBe('fine');
    // Flag 1: a dictionary whose id is one byte.
    expect(outcome(frameOf([1, 0, 42], CHUNK))).not.toBe('fine');
  });

  it('is refused or unpacks, and nothing else, with any byte changed', () => {
    const frame = zstdCompressSync(CHUNK);
    for (let at = 0; at < frame.length; at++)
      for (const change of [0x01, 0x10, 0x80, 0xff]) {
        const changed = Buffer.from(frame);
        changed[at]! ^= change;
        expect(typeof outcome(changed)).toBe('string');
      }
  });
});
