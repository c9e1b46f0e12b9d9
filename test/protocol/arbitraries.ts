import * as fc from 'fast-check';
import { zstdCompressSync } from 'node:zlib';
import { DIGEST_ALGORITHMS, DIGEST_BYTES, digestOf, type DigestAlgorithm } from '../../src/model/digest.ts';
import type { FileEntry } from '../../src/model/file-entry.ts';
import { isRelPath, type RelPath } from '../../src/model/rel-path.ts';
import { encode } from '../../src/protocol/codec.ts';
import {
  MAX_ID_LENGTH,
  MAX_MESSAGE_BYTES,
  MAX_READ_BYTES,
  MAX_REPORT_TEXT,
} from '../../src/protocol/limits.ts';
import { formatReport, type DeviceReport } from '../../src/protocol/report.ts';
import type { ReceiverMessage, SenderMessage } from '../../src/protocol/messages.ts';

export const algorithms = fc.constantFrom<DigestAlgorithm>(...DIGEST_ALGORITHMS);

/** Any device name that parseDeviceName takes. */
const deviceNames = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);

const segments = fc
  .oneof(fc.stringMatching(/^[a-z0-9]{1,12}$/), fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }))
  .filter((text) => !text.includes('/') && isRelPath(text));

/** Relative paths of one to five segments, many of them odd. */
export const relPaths: fc.Arbitrary<RelPath> = fc
  .array(segments, { minLength: 1, maxLength: 5 })
  .map((parts) => parts.join('/'))
  .filter(isRelPath);

const dataDirectories = segments.filter(isRelPath);
const ids = fc.integer({ min: 0, max: 0xffff_ffff });
const sizes = fc.oneof(fc.nat(), fc.maxSafeNat());
const mtimes = fc.maxSafeInteger();
const texts = fc.string({ maxLength: 200, unit: 'binary' });

export function bytes(minLength: number, maxLength: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array));
}

const fileEntries: fc.Arbitrary<FileEntry> = fc.record({
  path: relPaths,
  size: sizes,
  mtimeUs: mtimes,
});

/** A file of FILES whose digest is that of its content. */
export function inlineFiles(algorithm: DigestAlgorithm) {
  return fc.record({ path: relPaths, mtimeUs: mtimes, content: bytes(0, 300) }).map((file) => ({
    entry: { path: file.path, size: file.content.length, mtimeUs: file.mtimeUs },
    digest: digestOf(algorithm, file.content),
    content: file.content,
  }));
}

/** Well-formed messages of a sender, in no sensible order. */
export function senderMessages(algorithm: DigestAlgorithm): fc.Arbitrary<SenderMessage> {
  const digest = bytes(DIGEST_BYTES[algorithm], DIGEST_BYTES[algorithm]);
  return fc.oneof<fc.Arbitrary<SenderMessage>[]>(
    fc.record({
      type: fc.constant('hello'),
      version: fc.integer(),
      device: deviceNames,
      mode: fc.constantFrom('write', 'read'),
      digest: algorithms,
      software: texts,
    }),
    fc.record({
      type: fc.constant('files'),
      firstId: ids,
      files: fc.array(inlineFiles(algorithm), { minLength: 1, maxLength: 8 }),
    }),
    fc.record({ type: fc.constant('open'), id: ids, resume: fc.boolean(), entry: fileEntries }),
    fc.record({ type: fc.constant('chunk'), id: ids, offset: sizes, content: bytes(1, 400) }),
    fc.record({ type: fc.constant('end'), id: ids, digest }),
    fc.record({ type: fc.constant('cancel'), id: ids, keep: fc.boolean() }),
    fc.record({
      type: fc.constant('look'),
      request: ids,
      digest: fc.boolean(),
      paths: fc.array(relPaths, { maxLength: 8 }),
    }),
    fc.record({
      type: fc.constant('list'),
      request: ids,
      prefix: fc.oneof(fc.constant<''>(''), relPaths),
    }),
    fc.record({ type: fc.constant('seal'), request: ids, directory: dataDirectories }),
    fc.record({ type: fc.constant('seal'), request: ids, behind: ids, directory: dataDirectories }),
    fc.record({ type: fc.constant('retired'), request: ids, directory: dataDirectories }),
    fc.record({
      type: fc.constant('read'),
      request: ids,
      ranges: fc.array(fc.record({ path: relPaths, start: sizes, length: fc.nat(MAX_READ_BYTES / 8) }), {
        maxLength: 8,
      }),
    }),
    packedMessages(algorithm),
    fc.record({ type: fc.constant('report'), json: reportBodies }),
    fc.constant({ type: 'keepalive' }),
  );
}

const counts = fc.maxSafeNat();
const reportTexts = fc.string({ maxLength: MAX_REPORT_TEXT });

/** Reports as a device may mean them. */
export const reports: fc.Arbitrary<DeviceReport> = fc.record({
  files: counts,
  bytes: counts,
  oldestSeconds: fc.option(counts, { nil: undefined }),
  directory: fc.option(reportTexts, { nil: undefined }),
  sealed: counts,
  unsealed: counts,
  problems: fc.array(
    fc.record({
      code: fc.stringMatching(/^[A-Z][A-Z0-9_]{0,39}$/),
      subject: reportTexts,
      text: reportTexts,
    }),
    { maxLength: 3 },
  ),
  problemCount: counts,
});

/** Bodies of REPORT: right ones, JSON of anything, and bytes. */
const reportBodies: fc.Arbitrary<Buffer> = fc.oneof(
  reports.map(formatReport),
  fc.json({ maxDepth: 3 }).map((json) => Buffer.from(json)),
  bytes(1, 200),
);

/** PACKED whose frame is whole, is cut or extended, claims another length, or is none at all. */
function packedMessages(algorithm: DigestAlgorithm): fc.Arbitrary<SenderMessage> {
  const inside = fc.oneof<fc.Arbitrary<SenderMessage>[]>(
    fc.record({
      type: fc.constant('files'),
      firstId: ids,
      files: fc.array(inlineFiles(algorithm), { minLength: 1, maxLength: 8 }),
    }),
    fc.record({ type: fc.constant('chunk'), id: ids, offset: sizes, content: bytes(1, 400) }),
    fc.record({ type: fc.constant('cancel'), id: ids, keep: fc.boolean() }),
    fc.constant({ type: 'keepalive' }),
  );
  const faults = fc.record({
    cut: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(20)),
    more: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(20)),
    claim: fc.oneof(
      { weight: 4, arbitrary: fc.constant(0) },
      fc.integer({ min: -20, max: MAX_MESSAGE_BYTES }),
    ),
  });
  return fc.tuple(inside, faults).map(([message, { cut, more, claim }]) => {
    const plain = encode(message);
    const frame = zstdCompressSync(plain);
    return {
      type: 'packed',
      length: Math.min(MAX_MESSAGE_BYTES, Math.max(1, plain.length + claim)),
      frame: Buffer.concat([frame.subarray(0, frame.length - cut), Buffer.alloc(more, 0x28)]),
    };
  });
}

const limits = fc.record({
  filesInFlight: fc.integer({ min: 1, max: 10_000 }),
  openUploads: fc.integer({ min: 1, max: 100 }),
  requests: fc.integer({ min: 1, max: 100 }),
});

const ranges = fc.tuple(ids, ids).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));

/** Well-formed messages of a receiver, in no sensible order. */
export function receiverMessages(algorithm: DigestAlgorithm): fc.Arbitrary<ReceiverMessage> {
  const failure = { retryable: fc.boolean(), code: texts, message: texts };
  return fc.oneof<fc.Arbitrary<ReceiverMessage>[]>(
    fc.record({
      type: fc.constant('welcome'),
      version: fc.integer(),
      session: texts,
      device: deviceNames,
      software: texts,
      limits,
      compression: fc.array(texts, { maxLength: 3 }),
      store: fc.option(
        fc.record({
          id: fc.string({ minLength: 1, maxLength: MAX_ID_LENGTH }),
          process: fc.string({ minLength: 1, maxLength: MAX_ID_LENGTH }),
          listedMtime: fc.boolean(),
          checksLooks: fc.boolean(),
          retirements: fc.boolean(),
        }),
        { nil: undefined },
      ),
    }),
    fc.record({ type: fc.constant('ack'), ranges: fc.array(ranges, { maxLength: 20 }) }),
    fc.record({ type: fc.constant('refused'), id: ids, ...failure }),
    fc.record({ type: fc.constant('failed'), request: ids, ...failure }),
    fc.record({ type: fc.constant('offset'), id: ids, offset: sizes }),
    fc.boolean().chain((withDigests) => looked(withDigests ? algorithm : undefined)),
    fc.record({
      type: fc.constant('listed'),
      request: ids,
      last: fc.boolean(),
      files: fc.array(fileEntries, { maxLength: 8 }),
    }),
    fc.record({ type: fc.constant('sealed'), request: ids }),
    fc.record({
      type: fc.constant('retirement'),
      request: ids,
      atUs: fc.option(mtimes, { nil: undefined }),
    }),
    content(algorithm),
    fc.constant({ type: 'keepalive' }),
  );
}

function content(algorithm: DigestAlgorithm): fc.Arbitrary<ReceiverMessage> {
  const kept = algorithms.chain((kind) =>
    fc.record({ algorithm: fc.constant(kind), value: bytes(DIGEST_BYTES[kind], DIGEST_BYTES[kind]) }),
  );
  const part = fc.record({
    size: sizes,
    mtimeUs: mtimes,
    version: fc.string({ maxLength: 60, unit: 'binary' }),
    kept: fc.option(kept, { nil: undefined }),
    digest: bytes(DIGEST_BYTES[algorithm], DIGEST_BYTES[algorithm]),
    content: bytes(0, 300),
  });
  const failure = fc.record({ retryable: fc.boolean(), code: texts, message: texts });
  return fc.record({
    type: fc.constant('content'),
    request: ids,
    parts: fc.array(fc.oneof(part, failure, fc.constant(undefined)), { maxLength: 8 }),
  });
}

function looked(algorithm: DigestAlgorithm | undefined): fc.Arbitrary<ReceiverMessage> {
  const digest =
    algorithm === undefined
      ? fc.constant(undefined)
      : bytes(DIGEST_BYTES[algorithm], DIGEST_BYTES[algorithm]);
  const file = fc.record({ size: sizes, mtimeUs: mtimes, digest });
  return fc.record({
    type: fc.constant('looked'),
    request: ids,
    files: fc.array(fc.option(file, { nil: undefined }), { maxLength: 8 }),
  });
}
