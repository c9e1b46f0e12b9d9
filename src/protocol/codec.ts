import { DIGEST_BYTES, type DigestAlgorithm } from '../model/digest.ts';
import type { FileEntry } from '../model/file-entry.ts';
import type { RelPath } from '../model/rel-path.ts';
import { ByteReader, ByteWriter, malformed, repeat, textBytes } from './bytes.ts';
import { encodeContent, encodeRead, readContent, readRanges } from './content-codec.ts';
import { failureBytes, readFailure, writeFailure } from './failure-codec.ts';
import { parseHello, parseWelcome } from './hello.ts';
import {
  MAX_CHUNK_BYTES,
  MAX_FILES_IN_FLIGHT,
  MAX_FILES_PER_MESSAGE,
  MAX_INLINE_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_PATHS_PER_MESSAGE,
  MAX_REPORT_BYTES,
} from './limits.ts';
import type { Failure, InlineFile, LookedFile, ReceiverMessage, Seal, SenderMessage } from './messages.ts';

/** The type byte of each message; see the tables in PROTOCOL.md. */
const TYPE = {
  hello: 0x01,
  files: 0x02,
  open: 0x03,
  chunk: 0x04,
  end: 0x05,
  cancel: 0x06,
  look: 0x07,
  list: 0x08,
  seal: 0x09,
  packed: 0x0a,
  report: 0x0b,
  read: 0x0c,
  retired: 0x0d,
  sealBehind: 0x0e,
  keepalive: 0x7f,
  welcome: 0x81,
  ack: 0x82,
  refused: 0x83,
  offset: 0x84,
  looked: 0x85,
  listed: 0x86,
  sealed: 0x87,
  failed: 0x88,
  content: 0x89,
  retirement: 0x8a,
} as const;

/** Bytes of a CHUNK before its content, for a sender that reads a file straight into its message. */
export const CHUNK_HEADER_BYTES = 13;
/** Bytes of one file in FILES beside its path and content. */
const FILE_HEADER_BYTES = 14;

/** Bytes that one file takes in a FILES message. */
export function inlineBytes(entry: FileEntry, algorithm: DigestAlgorithm): number {
  return FILE_HEADER_BYTES + DIGEST_BYTES[algorithm] + Buffer.byteLength(entry.path) + entry.size;
}

export function writeChunkHeader(message: Buffer, id: number, offset: number): void {
  message.writeUInt8(TYPE.chunk, 0);
  message.writeUInt32BE(id, 1);
  message.writeBigUInt64BE(BigInt(offset), 5);
}

/** The message's bytes. Digests must have the length of the session's algorithm: the codec does not check that. */
export function encode(message: SenderMessage | ReceiverMessage): Buffer {
  switch (message.type) {
    case 'hello':
    case 'welcome': {
      const { type, ...fields } = message;
      return Buffer.concat([Buffer.of(TYPE[type]), Buffer.from(JSON.stringify(fields))]);
    }
    case 'files':
      return encodeFiles(message.firstId, message.files);
    case 'open': {
      const { id, resume, entry } = message;
      const writer = new ByteWriter(22 + textBytes(entry.path)).u8(TYPE.open).u32(id).flag(resume);
      return writer.u64(entry.size).i64(entry.mtimeUs).text(entry.path).bytes;
    }
    case 'chunk': {
      const bytes = Buffer.allocUnsafe(CHUNK_HEADER_BYTES + message.content.length);
      writeChunkHeader(bytes, message.id, message.offset);
      bytes.set(message.content, CHUNK_HEADER_BYTES);
      return bytes;
    }
    case 'end':
      return new ByteWriter(5 + message.digest.length).u8(TYPE.end).u32(message.id).raw(message.digest).bytes;
    case 'cancel':
      return new ByteWriter(6).u8(TYPE.cancel).u32(message.id).flag(message.keep).bytes;
    case 'look': {
      const length = message.paths.reduce((sum, path) => sum + textBytes(path), 8);
      const writer = new ByteWriter(length).u8(TYPE.look).u32(message.request).flag(message.digest);
      writer.u16(message.paths.length);
      for (const path of message.paths) writer.text(path);
      return writer.bytes;
    }
    case 'retired':
      return withText(TYPE.retired, message.request, message.directory);
    case 'list':
      return withText(TYPE.list, message.request, message.prefix);
    case 'seal':
      return encodeSeal(message);
    case 'read':
      return encodeRead(TYPE.read, message);
    case 'packed':
      return new ByteWriter(5 + message.frame.length).u8(TYPE.packed).u32(message.length).raw(message.frame)
        .bytes;
    case 'report':
      return Buffer.concat([Buffer.of(TYPE.report), message.json]);
    case 'keepalive':
      return Buffer.of(TYPE.keepalive);
    case 'ack': {
      const writer = new ByteWriter(3 + message.ranges.length * 8).u8(TYPE.ack).u16(message.ranges.length);
      for (const range of message.ranges) writer.u32(range.first).u32(range.last);
      return writer.bytes;
    }
    case 'refused':
      return failure(TYPE.refused, message.id, message);
    case 'failed':
      return failure(TYPE.failed, message.request, message);
    case 'offset':
      return new ByteWriter(13).u8(TYPE.offset).u32(message.id).u64(message.offset).bytes;
    case 'looked':
      return encodeLooked(message.request, message.files);
    case 'retirement':
      return encodeRetirement(message.request, message.atUs);
    case 'listed':
      return encodeListed(message.request, message.last, message.files);
    case 'sealed':
      return new ByteWriter(5).u8(TYPE.sealed).u32(message.request).bytes;
    case 'content':
      return encodeContent(TYPE.content, message);
  }
}

/** @throws IsyncError PROTOCOL unless `bytes` are exactly one message of a sender */
export function decodeSenderMessage(bytes: Buffer, algorithm: DigestAlgorithm): SenderMessage {
  const reader = new ByteReader(bytes);
  const message = readSenderMessage(reader, algorithm);
  reader.end();
  return message;
}

/** Whether `message` is PACKED, so that it grows when it is unpacked. */
export function isPacked(message: Buffer): boolean {
  return message[0] === TYPE.packed;
}

export function isKeepalive(message: Buffer): boolean {
  return message.length === 1 && message[0] === TYPE.keepalive;
}

/** @throws IsyncError PROTOCOL unless `bytes` are exactly one message of a receiver */
export function decodeReceiverMessage(bytes: Buffer, algorithm: DigestAlgorithm): ReceiverMessage {
  const reader = new ByteReader(bytes);
  const message = readReceiverMessage(reader, algorithm);
  reader.end();
  return message;
}

function readSenderMessage(reader: ByteReader, algorithm: DigestAlgorithm): SenderMessage {
  const type = reader.u8();
  switch (type) {
    case TYPE.hello:
      return parseHello(reader.rest());
    case TYPE.files:
      return { type: 'files', firstId: reader.u32(), files: readFiles(reader, algorithm) };
    case TYPE.open: {
      const id = reader.u32();
      const resume = reader.flag();
      return { type: 'open', id, resume, entry: readEntry(reader) };
    }
    case TYPE.chunk: {
      const id = reader.u32();
      const offset = reader.u64();
      const content = reader.rest();
      if (content.length === 0 || content.length > MAX_CHUNK_BYTES) throw malformed('a chunk of this length');
      return { type: 'chunk', id, offset, content };
    }
    case TYPE.end:
      return { type: 'end', id: reader.u32(), digest: reader.bytes(DIGEST_BYTES[algorithm]) };
    case TYPE.cancel:
      return { type: 'cancel', id: reader.u32(), keep: reader.flag() };
    case TYPE.look: {
      const request = reader.u32();
      const digest = reader.flag();
      return {
        type: 'look',
        request,
        digest,
        paths: repeat(reader, MAX_PATHS_PER_MESSAGE, () => reader.path()),
      };
    }
    case TYPE.list: {
      const request = reader.u32();
      return { type: 'list', request, prefix: readPrefix(reader) };
    }
    case TYPE.seal:
      return { type: 'seal', request: reader.u32(), directory: readDirectory(reader) };
    case TYPE.sealBehind: {
      const request = reader.u32();
      const behind = reader.u32();
      return { type: 'seal', request, behind, directory: readDirectory(reader) };
    }
    case TYPE.retired:
      return { type: 'retired', request: reader.u32(), directory: readDirectory(reader) };
    case TYPE.read:
      return { type: 'read', request: reader.u32(), ranges: readRanges(reader) };
    case TYPE.packed: {
      const length = reader.u32();
      if (length === 0 || length > MAX_MESSAGE_BYTES) throw malformed('a packed message of this length');
      return { type: 'packed', length, frame: reader.rest() };
    }
    case TYPE.report: {
      const json = reader.rest();
      if (json.length === 0 || json.length > MAX_REPORT_BYTES) throw malformed('a report of this length');
      return { type: 'report', json };
    }
    case TYPE.keepalive:
      return { type: 'keepalive' };
    default:
      throw malformed(`unknown type 0x${type.toString(16)}`);
  }
}

function readReceiverMessage(reader: ByteReader, algorithm: DigestAlgorithm): ReceiverMessage {
  const type = reader.u8();
  switch (type) {
    case TYPE.welcome:
      return parseWelcome(reader.rest());
    case TYPE.ack:
      return { type: 'ack', ranges: repeat(reader, MAX_FILES_IN_FLIGHT, () => readRange(reader)) };
    case TYPE.refused:
      return { type: 'refused', id: reader.u32(), ...readFailure(reader) };
    case TYPE.failed:
      return { type: 'failed', request: reader.u32(), ...readFailure(reader) };
    case TYPE.offset:
      return { type: 'offset', id: reader.u32(), offset: reader.u64() };
    case TYPE.looked: {
      const request = reader.u32();
      const rest = reader.u8();
      if (rest > 1) throw malformed('unknown flags');
      const length = rest === 1 ? DIGEST_BYTES[algorithm] : 0;
      return {
        type: 'looked',
        request,
        files: repeat(reader, MAX_PATHS_PER_MESSAGE, () => readLooked(reader, length)),
      };
    }
    case TYPE.retirement: {
      const request = reader.u32();
      return { type: 'retirement', request, atUs: reader.flag() ? reader.i64() : undefined };
    }
    case TYPE.listed: {
      const request = reader.u32();
      const last = reader.flag();
      return {
        type: 'listed',
        request,
        last,
        files: repeat(reader, MAX_PATHS_PER_MESSAGE, () => readEntry(reader)),
      };
    }
    case TYPE.sealed:
      return { type: 'sealed', request: reader.u32() };
    case TYPE.content:
      return { type: 'content', request: reader.u32(), parts: readContent(reader, algorithm) };
    case TYPE.keepalive:
      return { type: 'keepalive' };
    default:
      throw malformed(`unknown type 0x${type.toString(16)}`);
  }
}

function encodeFiles(firstId: number, files: readonly InlineFile[]): Buffer {
  let length = 7;
  for (const { entry, digest, content } of files)
    length += 12 + digest.length + textBytes(entry.path) + content.length;
  const writer = new ByteWriter(length).u8(TYPE.files).u32(firstId).u16(files.length);
  for (const { entry, digest, content } of files)
    writer.u32(content.length).i64(entry.mtimeUs).raw(digest).text(entry.path).raw(content);
  return writer.bytes;
}

function readFiles(reader: ByteReader, algorithm: DigestAlgorithm): InlineFile[] {
  const files = repeat(reader, MAX_FILES_PER_MESSAGE, () => {
    const size = reader.u32();
    if (size > MAX_INLINE_BYTES) throw malformed('an inline file of this size');
    const mtimeUs = reader.i64();
    const digest = reader.bytes(DIGEST_BYTES[algorithm]);
    const path = reader.path();
    return { entry: { path, size, mtimeUs }, digest, content: reader.bytes(size) };
  });
  if (files.length === 0) throw malformed('FILES without a file');
  return files;
}

function readEntry(reader: ByteReader): FileEntry {
  const size = reader.u64();
  const mtimeUs = reader.i64();
  return { path: reader.path(), size, mtimeUs };
}

function readPrefix(reader: ByteReader): FileEntry['path'] | '' {
  const bytes = reader.rest();
  if (bytes.length === 2 && bytes.readUInt16BE(0) === 0) return '';
  const inner = new ByteReader(bytes);
  const path = inner.path();
  inner.end();
  return path;
}

function readRange(reader: ByteReader): { first: number; last: number } {
  const first = reader.u32();
  const last = reader.u32();
  if (last < first) throw malformed('a range that ends before it begins');
  return { first, last };
}

function readDirectory(reader: ByteReader): RelPath {
  const directory = reader.path();
  if (directory.includes('/')) throw malformed('a data directory of several segments');
  return directory;
}

function encodeSeal({ request, behind, directory }: Seal): Buffer {
  if (behind === undefined) return withText(TYPE.seal, request, directory);
  const writer = new ByteWriter(9 + textBytes(directory)).u8(TYPE.sealBehind).u32(request).u32(behind);
  return writer.text(directory).bytes;
}

function encodeRetirement(request: number, atUs: number | undefined): Buffer {
  const writer = new ByteWriter(atUs === undefined ? 6 : 14).u8(TYPE.retirement).u32(request);
  writer.flag(atUs !== undefined);
  return (atUs === undefined ? writer : writer.i64(atUs)).bytes;
}

function encodeLooked(request: number, files: readonly (LookedFile | undefined)[]): Buffer {
  const digestBytes = files.find((file) => file?.digest !== undefined)?.digest?.length ?? 0;
  const length = files.reduce((sum, file) => sum + (file === undefined ? 1 : 17 + digestBytes), 8);
  const writer = new ByteWriter(length)
    .u8(TYPE.looked)
    .u32(request)
    .flag(digestBytes > 0)
    .u16(files.length);
  for (const file of files) {
    writer.flag(file !== undefined);
    if (file === undefined) continue;
    writer.u64(file.size).i64(file.mtimeUs);
    if (digestBytes > 0) writer.raw(file.digest ?? Buffer.alloc(digestBytes));
  }
  return writer.bytes;
}

function readLooked(reader: ByteReader, digestBytes: number): LookedFile | undefined {
  if (!reader.flag()) return undefined;
  const size = reader.u64();
  const mtimeUs = reader.i64();
  return { size, mtimeUs, digest: digestBytes > 0 ? reader.bytes(digestBytes) : undefined };
}

function encodeListed(request: number, last: boolean, files: readonly FileEntry[]): Buffer {
  const length = files.reduce((sum, file) => sum + 16 + textBytes(file.path), 8);
  const writer = new ByteWriter(length).u8(TYPE.listed).u32(request).flag(last).u16(files.length);
  for (const file of files) writer.u64(file.size).i64(file.mtimeUs).text(file.path);
  return writer.bytes;
}

function withText(type: number, request: number, text: string): Buffer {
  return new ByteWriter(5 + textBytes(text)).u8(type).u32(request).text(text).bytes;
}

function failure(type: number, id: number, failure: Failure): Buffer {
  const writer = new ByteWriter(5 + failureBytes(failure)).u8(type).u32(id);
  return writeFailure(writer, failure).bytes;
}
