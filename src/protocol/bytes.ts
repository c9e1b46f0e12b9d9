import { isUtf8 } from 'node:buffer';
import { IsyncError } from '../model/isync-error.ts';
import { relPathFault, isRelPath, type RelPath } from '../model/rel-path.ts';

const MAX_EXACT = BigInt(Number.MAX_SAFE_INTEGER);

export function malformed(what: string): IsyncError {
  return new IsyncError('PROTOCOL', `malformed message: ${what}`);
}

/** Reads a message's fields in order. Each method throws IsyncError PROTOCOL at a malformed field; slices share the message's memory. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  u64(): number {
    const value = this.#bytes.readBigUInt64BE(this.#take(8));
    if (value > MAX_EXACT) throw malformed('an integer is above 2^53');
    return Number(value);
  }

  i64(): number {
    const value = this.#bytes.readBigInt64BE(this.#take(8));
    if (value > MAX_EXACT || value < -MAX_EXACT) throw malformed('an integer is beyond 2^53');
    return Number(value);
  }

  bytes(length: number): Buffer {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  rest(): Buffer {
    return this.bytes(this.#bytes.length - this.#at);
  }

  text(): string {
    const bytes = this.bytes(this.u16());
    if (!isUtf8(bytes)) throw malformed('a text is not UTF-8');
    return bytes.toString('utf8');
  }

  path(): RelPath {
    const text = this.text();
    if (isRelPath(text)) return text;
    throw malformed(`a path ${relPathFault(text)}`);
  }

  /** A byte that is 0 or 1. */
  flag(): boolean {
    const value = this.u8();
    if (value > 1) throw malformed('unknown flags');
    return value === 1;
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw malformed('bytes after the last field');
  }

  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw malformed('it ends early');
    this.#at = start + length;
    return start;
  }
}

/** Writes a message's fields in order into one buffer of known length. */
export class ByteWriter {
  readonly bytes: Buffer;
  #at = 0;

  constructor(length: number) {
    this.bytes = Buffer.allocUnsafe(length);
  }

  u8(value: number): this {
    this.#at = this.bytes.writeUInt8(value, this.#at);
    return this;
  }

  u16(value: number): this {
    this.#at = this.bytes.writeUInt16BE(value, this.#at);
    return this;
  }

  u32(value: number): this {
    this.#at = this.bytes.writeUInt32BE(value, this.#at);
    return this;
  }

  u64(value: number): this {
    this.#at = this.bytes.writeBigUInt64BE(BigInt(value), this.#at);
    return this;
  }

  i64(value: number): this {
    this.#at = this.bytes.writeBigInt64BE(BigInt(value), this.#at);
    return this;
  }

  raw(value: Uint8Array): this {
    this.bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  /** A text whose UTF-8 length the caller knows from {@link textBytes}. */
  text(value: string): this {
    const written = this.bytes.write(value, this.#at + 2, 'utf8');
    this.bytes.writeUInt16BE(written, this.#at);
    this.#at += 2 + written;
    return this;
  }

  flag(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }
}

/** The items of a list that begins with their count. @throws IsyncError PROTOCOL where there are more than `most` */
export function repeat<T>(reader: ByteReader, most: number, readOne: () => T): T[] {
  const count = reader.u16();
  if (count > most) throw malformed(`more than ${most} items`);
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(readOne());
  return items;
}

/** Bytes that a text takes on the wire, its length field included. */
export function textBytes(value: string): number {
  return 2 + Buffer.byteLength(value);
}

/** `value` cut to `limit` bytes of UTF-8, never within a character. */
export function cutText(value: string, limit: number): string {
  const bytes = Buffer.from(value);
  if (bytes.length <= limit) return bytes.toString('utf8');
  let end = limit;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString('utf8');
}
