import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DigestAlgorithm } from '../../src/model/digest.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import {
  CHUNK_HEADER_BYTES,
  decodeReceiverMessage,
  decodeSenderMessage,
  encode,
  inlineBytes,
  writeChunkHeader,
} from '../../src/protocol/codec.ts';
import {
  MAX_CHUNK_BYTES,
  MAX_FILES_IN_FLIGHT,
  MAX_FILES_PER_MESSAGE,
  MAX_HELLO_BYTES,
  MAX_ID_LENGTH,
  MAX_INLINE_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_PATHS_PER_MESSAGE,
  MAX_READ_BYTES,
  MAX_TEXT_BYTES,
  MAX_VERSION_BYTES,
  TARGET_BATCH_BYTES,
} from '../../src/protocol/limits.ts';
import type { ReceiverMessage, SenderMessage } from '../../src/protocol/messages.ts';
import { algorithms, inlineFiles, receiverMessages, relPaths, senderMessages } from './arbitraries.ts';

type Decode = (bytes: Buffer, algorithm: DigestAlgorithm) => SenderMessage | ReceiverMessage;

const senderCases = algorithms.chain((algorithm) =>
  fc.tuple(fc.constant(algorithm), senderMessages(algorithm)),
);
const receiverCases = algorithms.chain((algorithm) =>
  fc.tuple(fc.constant(algorithm), receiverMessages(algorithm)),
);

/** 'fine' when the bytes decode, else the code of the IsyncError; anything else that is thrown fails the test. */
function outcome(decode: Decode, bytes: Buffer, algorithm: DigestAlgorithm = 'xxh64'): string {
  try {
    decode(bytes, algorithm);
    return 'fine';
  } catch (error) {
    if (error instanceof IsyncError) return error.code;
    throw error;
  }
}

/** Bytes from which on every beginning of the message is one too. */
function openEnd({ type }: SenderMessage | ReceiverMessage): number | undefined {
  if (type === 'chunk') return CHUNK_HEADER_BYTES + 1;
  if (type === 'report') return 2;
  return type === 'packed' ? 5 : undefined;
}

describe.each([
  { who: 'a sender', cases: senderCases, decode: decodeSenderMessage, other: decodeReceiverMessage },
  { who: 'a receiver', cases: receiverCases, decode: decodeReceiverMessage, other: decodeSenderMessage },
])('messages of $who', ({ cases, decode, other }) => {
  it('come out of the codec as they went in', () => {
    fc.assert(
      fc.property(cases, ([algorithm, message]) => {
        expect(decode(encode(message), algorithm)).toEqual(message);
      }),
      { numRuns: 500 },
    );
  });

  it('are refused when cut anywhere', () => {
    fc.assert(
      fc.property(cases, ([algorithm, message]) => {
        const whole = encode(message);
        // The content of a chunk, the frame of a packed message and the body of a report end where their message ends.
        const end = openEnd(message) ?? whole.length;
        for (let length = 0; length < end; length++)
          expect(outcome(decode, whole.subarray(0, length), algorithm)).toBe('PROTOCOL');
      }),
      { numRuns: 150 },
    );
  });

  it('are refused with anything behind the last field', () => {
    fc.assert(
      fc.property(cases, ([algorithm, message]) => {
        fc.pre(openEnd(message) === undefined);
        expect(outcome(decode, Buffer.concat([encode(message), Buffer.of(0xff)]), algorithm)).toBe(
          'PROTOCOL',
        );
      }),
    );
  });

  it('are refused by the side that says them', () => {
    fc.assert(
      fc.property(cases, ([algorithm, message]) => {
        fc.pre(message.type !== 'keepalive');
        expect(outcome(other, encode(message), algorithm)).toBe('PROTOCOL');
      }),
    );
  });

  it('decode or are refused, and nothing else, with any byte changed', () => {
    fc.assert(
      fc.property(cases, fc.nat(), fc.integer({ min: 1, max: 255 }), ([algorithm, message], at, change) => {
        const bytes = encode(message);
        bytes[at % bytes.length]! ^= change;
        const seen = outcome(decode, bytes, algorithm);
        expect(['fine', 'PROTOCOL']).toContain(seen);
      }),
      { numRuns: 1000 },
    );
  });

  it('never come out of random bytes as anything but themselves', () => {
    const type = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0x81, max: 0x89 }), fc.nat(255));
    fc.assert(
      fc.property(type, fc.uint8Array({ maxLength: 200 }), algorithms, (type, rest, algorithm) => {
        const bytes = Buffer.concat([Buffer.of(type), rest]);
        const seen = outcome(decode, bytes, algorithm);
        expect(['fine', 'PROTOCOL']).toContain(seen);
        // Only these two have several spellings: JSON, and LOOKED that promises digests of nothing.
        const several = type === 0x01 || type === 0x81 || type === 0x85;
        const again = seen === 'fine' && !several ? encode(decode(bytes, algorithm)) : bytes;
        expect(again).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});

const entry = { path: parseRelPath('DC1/a'), size: 0, mtimeUs: 0 };
const empty = { entry, digest: Buffer.alloc(8), content: Buffer.alloc(0) };

function times<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}

function chunkOf(length: number): Buffer {
  return encode({ type: 'chunk', id: 1, offset: 0, content: Buffer.alloc(length) });
}

function filesOf(count: number, size = 0): Buffer {
  const file = { ...empty, entry: { ...entry, size }, content: Buffer.alloc(size) };
  return encode({ type: 'files', firstId: 1, files: times(count, file) });
}

function lookOf(count: number): Buffer {
  return encode({ type: 'look', request: 1, digest: false, paths: times(count, entry.path) });
}

function ackOf(count: number): Buffer {
  return encode({ type: 'ack', ranges: times(count, { first: 1, last: 1 }) });
}

describe('limits of the codec', () => {
  it('takes chunks of 1 to MAX_CHUNK_BYTES', () => {
    expect(outcome(decodeSenderMessage, chunkOf(1))).toBe('fine');
    expect(outcome(decodeSenderMessage, chunkOf(MAX_CHUNK_BYTES))).toBe('fine');
    expect(outcome(decodeSenderMessage, chunkOf(0))).toBe('PROTOCOL');
    expect(outcome(decodeSenderMessage, chunkOf(MAX_CHUNK_BYTES + 1))).toBe('PROTOCOL');
  });

  it('takes 1 to MAX_FILES_PER_MESSAGE files of at most MAX_INLINE_BYTES', () => {
    expect(outcome(decodeSenderMessage, filesOf(MAX_FILES_PER_MESSAGE))).toBe('fine');
    expect(outcome(decodeSenderMessage, filesOf(0))).toBe('PROTOCOL');
    expect(outcome(decodeSenderMessage, filesOf(MAX_FILES_PER_MESSAGE + 1))).toBe('PROTOCOL');
    expect(outcome(decodeSenderMessage, filesOf(1, MAX_INLINE_BYTES))).toBe('fine');
    expect(outcome(decodeSenderMessage, filesOf(1, MAX_INLINE_BYTES + 1))).toBe('PROTOCOL');
  });

  it('takes at most MAX_PATHS_PER_MESSAGE paths and MAX_FILES_IN_FLIGHT ranges', () => {
    expect(outcome(decodeSenderMessage, lookOf(MAX_PATHS_PER_MESSAGE))).toBe('fine');
    expect(outcome(decodeSenderMessage, lookOf(MAX_PATHS_PER_MESSAGE + 1))).toBe('PROTOCOL');
    expect(outcome(decodeReceiverMessage, ackOf(MAX_FILES_IN_FLIGHT))).toBe('fine');
    expect(outcome(decodeReceiverMessage, ackOf(MAX_FILES_IN_FLIGHT + 1))).toBe('PROTOCOL');
  });

  it('takes a READ of at most MAX_READ_BYTES and MAX_PATHS_PER_MESSAGE', () => {
    const readOf = (...lengths: number[]): Buffer =>
      encode({
        type: 'read',
        request: 1,
        ranges: lengths.map((length) => ({ path: entry.path, start: 0, length })),
      });
    expect(outcome(decodeSenderMessage, readOf(MAX_READ_BYTES))).toBe('fine');
    expect(outcome(decodeSenderMessage, readOf(MAX_READ_BYTES - 1, 1))).toBe('fine');
    expect(outcome(decodeSenderMessage, readOf(MAX_READ_BYTES, 1))).toBe('PROTOCOL');
    expect(outcome(decodeSenderMessage, readOf(0xffff_ffff))).toBe('PROTOCOL');
    expect(outcome(decodeSenderMessage, readOf(...times(MAX_PATHS_PER_MESSAGE, 1)))).toBe('fine');
    expect(outcome(decodeSenderMessage, readOf(...times(MAX_PATHS_PER_MESSAGE + 1, 1)))).toBe('PROTOCOL');
  });

  it('takes a version of at most MAX_VERSION_BYTES, and keeps the largest CONTENT below MAX_MESSAGE_BYTES', () => {
    const part = {
      size: 0,
      mtimeUs: 0,
      version: 'v'.repeat(MAX_VERSION_BYTES),
      kept: { algorithm: 'sha256', value: Buffer.alloc(32) },
      digest: Buffer.alloc(32),
      content: Buffer.alloc(MAX_READ_BYTES / MAX_PATHS_PER_MESSAGE),
    } as const;
    const all = encode({ type: 'content', request: 1, parts: times(MAX_PATHS_PER_MESSAGE, part) });
    expect(outcome(decodeReceiverMessage, all, 'sha256')).toBe('fine');
    expect(all.length).toBeLessThan(MAX_MESSAGE_BYTES);
    const failure = { retryable: false, code: 'FILE_UNREADABLE', message: 'é'.repeat(MAX_TEXT_BYTES) };
    const failed = encode({ type: 'content', request: 1, parts: times(MAX_PATHS_PER_MESSAGE, failure) });
    expect(failed.length).toBeLessThan(MAX_MESSAGE_BYTES);
    const longer = { ...part, version: `${part.version}x` };
    const refused = encode({ type: 'content', request: 1, parts: [longer] });
    expect(outcome(decodeReceiverMessage, refused, 'sha256')).toBe('PROTOCOL');
  });

  it('refuses a range that ends before it begins', () => {
    expect(outcome(decodeReceiverMessage, encode({ type: 'ack', ranges: [{ first: 2, last: 1 }] }))).toBe(
      'PROTOCOL',
    );
  });

  it('refuses integers that a double does not hold', () => {
    const open = encode({ type: 'open', id: 1, resume: false, entry });
    const size = Buffer.from(open);
    size.writeBigUInt64BE(2n ** 53n, 6);
    expect(outcome(decodeSenderMessage, size)).toBe('PROTOCOL');
    const mtime = Buffer.from(open);
    mtime.writeBigInt64BE(-(2n ** 53n), 14);
    expect(outcome(decodeSenderMessage, mtime)).toBe('PROTOCOL');
  });

  it.each(['', '/etc/passwd', '../x', 'a/../x', 'a//b', './a', 'a/.', 'a/', 'a\0b', 'x'.repeat(256)])(
    'refuses the path %j',
    (path) => {
      const text = Buffer.from(path);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(text.length);
      const open = encode({ type: 'open', id: 1, resume: false, entry });
      expect(outcome(decodeSenderMessage, Buffer.concat([open.subarray(0, 22), length, text]))).toBe(
        'PROTOCOL',
      );
    },
  );

  it('refuses a path that is not UTF-8', () => {
    const open = encode({ type: 'open', id: 1, resume: false, entry });
    open[open.length - 1] = 0xff;
    expect(outcome(decodeSenderMessage, open)).toBe('PROTOCOL');
  });

  it('refuses to seal anything but a data directory', () => {
    const seal = encode({ type: 'seal', request: 1, directory: parseRelPath('DC1/sub') });
    expect(outcome(decodeSenderMessage, seal)).toBe('PROTOCOL');
  });

  it.each([
    '',
    '[]',
    'null',
    '{}',
    '{"version":1.5,"device":"d","mode":"write","digest":"xxh64","software":"s"}',
    '{"version":"1","device":"d","mode":"write","digest":"xxh64","software":"s"}',
    '{"version":1,"device":1,"mode":"write","digest":"xxh64","software":"s"}',
    '{"version":1,"device":"d","mode":"append","digest":"xxh64","software":"s"}',
    '{"version":1,"device":"d","mode":"write","digest":"md5","software":"s"}',
    '{"version":1,"device":"d","mode":"write","digest":"xxh64"}',
    `{"version":1,"device":"d","mode":"write","digest":"xxh64","software":"${'s'.repeat(MAX_HELLO_BYTES)}"}`,
    '{"version":1,"device":"d","mode":"write","digest":"xxh64","software":"s","replaceDamaged":1}',
  ])('refuses the HELLO %.60s', (json) => {
    expect(outcome(decodeSenderMessage, Buffer.concat([Buffer.of(1), Buffer.from(json)]))).toBe('PROTOCOL');
  });

  it('ignores fields of HELLO that it does not know', () => {
    const json =
      '{"version":7,"device":"d","mode":"read","digest":"sha256","software":"s","new":[1],"__proto__":{"a":1}}';
    expect(decodeSenderMessage(Buffer.concat([Buffer.of(1), Buffer.from(json)]), 'xxh64')).toEqual({
      type: 'hello',
      version: 7,
      device: 'd',
      mode: 'read',
      digest: 'sha256',
      software: 's',
    });
  });

  it.each([true, false])('takes a HELLO that says of damaged files: %s', (replaceDamaged) => {
    const hello = {
      type: 'hello',
      version: 1,
      device: 'd',
      mode: 'write',
      digest: 'xxh64',
      software: 's',
      replaceDamaged,
    } as const;
    expect(decodeSenderMessage(encode(hello), 'xxh64')).toEqual(hello);
  });

  const WELCOME =
    '{"version":1,"session":"s","device":"d","software":"s","limits":{"filesInFlight":1,"openUploads":1,"requests":1}';

  it.each([
    'null',
    '[]',
    '{}',
    '{"id":"i","process":"p"}',
    '{"id":"i","process":"p","listedMtime":1}',
    '{"id":"i","process":"p","listedMtime":true,"checksLooks":1}',
    '{"id":"","process":"p","listedMtime":true}',
    '{"id":7,"process":"p","listedMtime":true}',
    `{"id":"i","process":"${'p'.repeat(MAX_ID_LENGTH + 1)}","listedMtime":true}`,
  ])('refuses a WELCOME whose store is %.60s', (store) => {
    const json = `${WELCOME},"store":${store}}`;
    expect(outcome(decodeReceiverMessage, Buffer.concat([Buffer.of(0x81), Buffer.from(json)]))).toBe(
      'PROTOCOL',
    );
  });

  it('takes a WELCOME that says nothing of the store', () => {
    const message = decodeReceiverMessage(
      Buffer.concat([Buffer.of(0x81), Buffer.from(`${WELCOME}}`)]),
      'xxh64',
    );
    expect(message).toMatchObject({ type: 'welcome', store: undefined, compression: [] });
  });

  it('refuses a HELLO that is not UTF-8', () => {
    const hello = encode({
      type: 'hello',
      version: 1,
      device: 'd',
      mode: 'write',
      digest: 'xxh64',
      software: 'QQ',
    });
    hello[hello.indexOf('QQ')] = 0xff;
    expect(outcome(decodeSenderMessage, hello)).toBe('PROTOCOL');
  });

  it('cuts a long message of a refusal between characters', () => {
    const bytes = encode({
      type: 'refused',
      id: 1,
      retryable: true,
      code: 'STORE_FULL',
      message: 'é'.repeat(2000) + 'x',
    });
    const message = decodeReceiverMessage(bytes, 'xxh64');
    expect(message).toMatchObject({ code: 'STORE_FULL', message: 'é'.repeat(MAX_TEXT_BYTES / 2) });
  });

  it('keeps a full batch with the longest paths below MAX_MESSAGE_BYTES', () => {
    const path = parseRelPath(`${'x'.repeat(255)}/`.repeat(15) + 'y'.repeat(255));
    const file = { path, size: 0, mtimeUs: 0 };
    expect(MAX_FILES_PER_MESSAGE * inlineBytes(file, 'sha256') + TARGET_BATCH_BYTES).toBeLessThan(
      MAX_MESSAGE_BYTES,
    );
    const page = {
      type: 'listed',
      request: 1,
      last: true,
      files: times(MAX_PATHS_PER_MESSAGE, file),
    } as const;
    expect(encode(page).length).toBeLessThan(MAX_MESSAGE_BYTES);
  });

  it('tells how long a file is in FILES', () => {
    fc.assert(
      fc.property(
        algorithms.chain((algorithm) => fc.tuple(fc.constant(algorithm), inlineFiles(algorithm))),
        ([algorithm, file]) => {
          expect(encode({ type: 'files', firstId: 1, files: [file] }).length).toBe(
            7 + inlineBytes(file.entry, algorithm),
          );
        },
      ),
    );
  });

  it('writes the header of a chunk in place', () => {
    const content = Buffer.from('content');
    const message = Buffer.concat([Buffer.alloc(CHUNK_HEADER_BYTES), content]);
    writeChunkHeader(message, 9, 2 ** 40);
    expect(message).toEqual(encode({ type: 'chunk', id: 9, offset: 2 ** 40, content }));
  });

  it('lists everything for an empty prefix and below a path otherwise', () => {
    fc.assert(
      fc.property(fc.oneof(fc.constant<''>(''), relPaths), (prefix) => {
        expect(decodeSenderMessage(encode({ type: 'list', request: 3, prefix }), 'xxh64')).toEqual({
          type: 'list',
          request: 3,
          prefix,
        });
      }),
    );
  });
});
