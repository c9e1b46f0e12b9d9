import { MAX_KEY_BYTES } from '../../model/object-key.ts';
import type { KeyEncoding } from './parsed.ts';

/** How a dialect writes keys; undefined where that is not known. */
export type WrittenKey = Exclude<KeyEncoding, 'auto'> | undefined;

/**
 * The key that `text` stands for, or why it stands for none, in words that go on from "the key". Form encoding is what HTML
 * forms have: "+" for a blank, "%2F" for a byte of UTF-8.
 */
export function decodeKey(
  text: string,
  written: WrittenKey,
  encoding: KeyEncoding,
): { readonly key: string } | { readonly fault: string } {
  const how = encoding === 'auto' ? written : encoding;
  const isPlain = !/[+%]/.test(text);
  if (how === undefined && !isPlain)
    return { fault: 'may be encoded or not, for its store is not known; the setting keyEncoding tells' };

  const key = how === 'raw' || isPlain ? text : formDecoded(text);
  if (key === undefined) {
    const isBroken = /%(?![0-9A-Fa-f]{2})/.test(text);
    return {
      fault: isBroken ? 'has a "%" without two hexadecimal digits' : 'has escapes that are not UTF-8',
    };
  }
  if (!key.isWellFormed()) return { fault: 'is not well-formed Unicode' };
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return { fault: `is longer than ${MAX_KEY_BYTES} bytes` };
  return { key };
}

/** Undefined where an escape is broken, or the bytes are not UTF-8. */
function formDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
