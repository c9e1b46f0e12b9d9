import { isUtf8 } from 'node:buffer';

/** What an escaped byte looks like. A name that has it by itself is escaped too, so that no two names look the same. */
const ESCAPE = /\\x[0-9a-f]{2}/;

/**
 * A name of the disk as a text: itself where it is UTF-8. Else each byte that is not stands there as `\xNN`, and every backslash as
 * `\x5c`. Another name never gives the same text.
 */
export function nameText(name: Uint8Array): string {
  const bytes = Buffer.from(name.buffer, name.byteOffset, name.length);
  if (isUtf8(bytes)) {
    const text = bytes.toString('utf8');
    return ESCAPE.test(text) ? text.replaceAll('\\', String.raw`\x5c`) : text;
  }
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = lengthAt(bytes, at);
    const part = bytes.subarray(at, at + Math.max(1, length));
    if (length === 0) text += `\\x${part.toString('hex')}`;
    else text += part.toString('utf8').replaceAll('\\', String.raw`\x5c`);
    at += part.length;
  }
  return text;
}

/** A path of the disk as a text, each of its names as {@link nameText} has it. */
export function pathText(path: string): string {
  return path
    .split('/')
    .map((name) => nameText(Buffer.from(name)))
    .join('/');
}

/** The bytes of a path whose names {@link nameText} has given. */
export function pathBytes(path: string): Buffer {
  if (!ESCAPE.test(path)) return Buffer.from(path);
  const parts = path.split(/(\\x[0-9a-f]{2})/);
  return Buffer.concat(
    parts.map((part, index) => (index % 2 === 1 ? Buffer.from(part.slice(2), 'hex') : Buffer.from(part))),
  );
}

/**
 * Why an escaped path names nothing that could be on a disk; undefined where it does, and for a path that is not escaped. A byte that
 * need not be escaped would give a file two names, and `\x2f` would be a "/" more.
 */
export function escapeFault(path: string): string | undefined {
  if (!ESCAPE.test(path)) return undefined;
  for (const segment of path.split('/')) {
    const bytes = pathBytes(segment);
    if (bytes.includes(0x2f) || bytes.includes(0)) return 'has an escaped "/" or NUL';
    if (nameText(bytes) !== segment) return 'escapes what need not be escaped';
  }
  return undefined;
}

/** The length of the character of UTF-8 that begins at `at`; 0 where none does. */
function lengthAt(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}
