import { DIGEST_BYTES, type DigestAlgorithm } from '../model/digest.ts';
import { type ByteReader, ByteWriter, malformed, repeat, textBytes } from './bytes.ts';
import { failureBytes, readFailure, writeFailure } from './failure-codec.ts';
import { MAX_PATHS_PER_MESSAGE, MAX_READ_BYTES, MAX_VERSION_BYTES } from './limits.ts';
import type { Content, Failure, FilePart, FileRange, KeptDigest, Read } from './messages.ts';

/** READ and CONTENT: the bytes of files on their way back. */

/** What CONTENT has for one range. */
const PART = { nothing: 0, bytes: 1, failure: 2 } as const;
/** The digest that is kept with a file. */
const KEPT = { none: 0, xxh64: 1, sha256: 2 } as const;
/** Bytes of one range in READ beside its path. */
const RANGE_BYTES = 12;
/** Bytes of a part beside its version, digests and content. */
const PART_BYTES = 22;

/** A message whose content is read right into it. */
export interface ContentToFill {
  readonly bytes: Buffer;
  /** The last of `bytes`. */
  readonly content: Buffer;
  readonly finish: (digest: Buffer) => void;
}

export function encodeRead(type: number, { request, ranges }: Read): Buffer {
  const length = ranges.reduce((sum, { path }) => sum + RANGE_BYTES + textBytes(path), 7);
  const writer = new ByteWriter(length).u8(type).u32(request).u16(ranges.length);
  for (const { path, start, length } of ranges) writer.text(path).u64(start).u32(length);
  return writer.bytes;
}

/** @throws IsyncError PROTOCOL, also where they ask for more than one answer may hold */
export function readRanges(reader: ByteReader): FileRange[] {
  let sum = 0;
  return repeat(reader, MAX_PATHS_PER_MESSAGE, () => {
    const path = reader.path();
    const start = reader.u64();
    const length = reader.u32();
    sum += length;
    if (sum > MAX_READ_BYTES) throw malformed(`more than ${MAX_READ_BYTES} bytes are asked for`);
    return { path, start, length };
  });
}

export function encodeContent(type: number, { request, parts }: Content): Buffer {
  const length = parts.reduce((sum, part) => sum + bytesOf(part), 7);
  const writer = new ByteWriter(length).u8(type).u32(request).u16(parts.length);
  for (const part of parts) writePart(writer, part);
  return writer.bytes;
}

/**
 * A CONTENT with one part, into whose `content` the bytes are to be read. `finish` then tells it their digest.
 * @param message of such a part without content, whose digest has its length
 * @param take gives the memory of so many bytes
 */
export function contentToFill(
  message: Buffer,
  length: number,
  take: (bytes: number) => Buffer,
): ContentToFill {
  const bytes = take(message.length + length);
  bytes.set(message);
  const lengthAt = message.length - 4;
  bytes.writeUInt32BE(length, lengthAt);
  const content = bytes.subarray(message.length);
  return { bytes, content, finish: (digest) => void bytes.set(digest, lengthAt - digest.length) };
}

/** @throws IsyncError PROTOCOL */
export function readContent(reader: ByteReader, algorithm: DigestAlgorithm): Content['parts'] {
  return repeat(reader, MAX_PATHS_PER_MESSAGE, () => readPart(reader, algorithm));
}

function bytesOf(part: Content['parts'][number]): number {
  if (part === undefined) return 1;
  if (isFailure(part)) return 1 + failureBytes(part);
  const { version, kept, digest, content } = part;
  return PART_BYTES + textBytes(version) + (kept?.value.length ?? 0) + digest.length + content.length;
}

function writePart(writer: ByteWriter, part: Content['parts'][number]): void {
  if (part === undefined) {
    writer.u8(PART.nothing);
    return;
  }
  if (isFailure(part)) {
    writeFailure(writer.u8(PART.failure), part);
    return;
  }
  const { size, mtimeUs, version, kept, digest, content } = part;
  writer.u8(PART.bytes).u64(size).i64(mtimeUs).text(version);
  writer.u8(KEPT[kept?.algorithm ?? 'none']);
  if (kept !== undefined) writer.raw(kept.value);
  writer.raw(digest).u32(content.length).raw(content);
}

function readPart(reader: ByteReader, algorithm: DigestAlgorithm): FilePart | Failure | undefined {
  const kind = reader.u8();
  if (kind === PART.nothing) return undefined;
  if (kind === PART.failure) return readFailure(reader);
  if (kind !== PART.bytes) throw malformed('a part of an unknown kind');
  const size = reader.u64();
  const mtimeUs = reader.i64();
  const version = reader.text();
  if (Buffer.byteLength(version) > MAX_VERSION_BYTES) throw malformed('the name of a version is too long');
  const kept = readKept(reader);
  const digest = reader.bytes(DIGEST_BYTES[algorithm]);
  return { size, mtimeUs, version, kept, digest, content: reader.bytes(reader.u32()) };
}

/** Copied, because it is needed to the end of the file, and the memory of its message may hold other bytes by then. */
function readKept(reader: ByteReader): KeptDigest | undefined {
  const kind = reader.u8();
  if (kind === KEPT.none) return undefined;
  if (kind === KEPT.xxh64)
    return { algorithm: 'xxh64', value: Buffer.from(reader.bytes(DIGEST_BYTES.xxh64)) };
  if (kind === KEPT.sha256)
    return { algorithm: 'sha256', value: Buffer.from(reader.bytes(DIGEST_BYTES.sha256)) };
  throw malformed('a digest of an unknown kind');
}

/** Whether an answer says why there are no bytes. */
export function isFailure(part: FilePart | Failure): part is Failure {
  return 'code' in part;
}
