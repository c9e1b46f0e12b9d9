import { Decrypter } from 'age-encryption';
import type { Abortable } from '../../model/abortable.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { ByteRanges } from '../pack/byte-ranges.ts';
import { MAX_HEADER_BYTES } from './create-encryption.ts';
import type { Decryption } from './encryption.ts';
import { damaged, OpenedRanges } from './opened-ranges.ts';
import { NONCE_BYTES, StreamKey } from './stream-key.ts';

/**
 * Opens what the private keys open that stand in the text of an identity file, as age-keygen writes it: a key a line, "#" before a comment.
 * @throws IsyncError KEY_MISSING where there is none, or a line is no key
 */
export function createDecryption(identities: string): Decryption {
  const keys = identities
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0) throw new IsyncError('KEY_MISSING', 'the identity file has no private key of age');
  // Looks at each of them now.
  decrypterWith(keys);
  return { open: (sealed, options) => open(keys, sealed, options) };
}

async function open(keys: readonly string[], sealed: ByteRanges, options?: Abortable): Promise<ByteRanges> {
  const { header, nonce } = await readHeader(sealed, options);
  const decrypter = decrypterWith(keys);
  let isOurs = true;
  // Asked when no key before it has opened it.
  decrypter.addIdentity({
    unwrapFileKey: () => {
      isOurs = false;
      return null;
    },
  });
  let fileKey: Uint8Array;
  try {
    fileKey = await decrypter.decryptHeader(header);
  } catch (error) {
    if (!isOurs) throw new IsyncError('KEY_MISSING', 'no private key of ours opens it');
    throw damaged('its header is wrong', error);
  }
  return new OpenedRanges(sealed, header.length + NONCE_BYTES, new StreamKey(fileKey, nonce));
}

/** The header, and the nonce behind it. */
async function readHeader(
  sealed: ByteRanges,
  options?: Abortable,
): Promise<Record<'header' | 'nonce', Buffer>> {
  let begin = Buffer.alloc(0);
  for await (const piece of sealed.read(0, Math.min(sealed.size, MAX_HEADER_BYTES + NONCE_BYTES), options)) {
    begin = Buffer.concat([begin, piece]);
    // No other line begins like the last one: those before it are "-> " and base64.
    const last = begin.indexOf('\n--- ');
    const end = last < 0 ? 0 : begin.indexOf('\n', last + 1) + 1;
    if (end > 0 && begin.length >= end + NONCE_BYTES)
      return { header: begin.subarray(0, end), nonce: begin.subarray(end, end + NONCE_BYTES) };
  }
  throw damaged('it has no header of age');
}

function decrypterWith(keys: readonly string[]): Decrypter {
  const decrypter = new Decrypter();
  for (const key of keys) {
    try {
      decrypter.addIdentity(key);
    } catch {
      // Neither the line nor the cause is told: both may have the secret.
      throw new IsyncError('KEY_MISSING', 'a line of the identity file is no private key of age', {
        hint: 'A file that has a passphrase must be decrypted first: age -d FILE.',
      });
    }
  }
  return decrypter;
}
