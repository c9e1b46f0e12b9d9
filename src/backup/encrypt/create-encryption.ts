import { randomBytes } from 'node:crypto';
import { Encrypter } from 'age-encryption';
import { IsyncError } from '../../model/isync-error.ts';
import { ChunkSealer } from './chunk-sealer.ts';
import type { Encryption, SealSecrets } from './encryption.ts';
import { NONCE_BYTES, TAG_BYTES } from './stream-key.ts';

/** Longest header in bytes that is written, and read: that of 500 recipients, or of 40 with keys against quantum computers. */
export const MAX_HEADER_BYTES = 64 * 1024;

/**
 * Encrypts to public keys of age (`age1…`), one at least: each private key opens it alone.
 * @throws IsyncError CONFIG_INVALID where one is no such key, or there are too many
 */
export function createEncryption(recipients: readonly string[]): Encryption {
  if (recipients.length === 0) throw new IsyncError('CONFIG_INVALID', 'nobody is named to encrypt to');
  // Looks at each of them now, not at the first run.
  encrypterTo(recipients);
  return {
    begin: () => begin(recipients),
    sealer: (secrets) => new ChunkSealer(secrets),
  };
}

async function begin(recipients: readonly string[]): Promise<SealSecrets> {
  const encrypter = encrypterTo(recipients);
  let fileKey: Uint8Array | undefined;
  // The library keeps the key of the file to itself. One more recipient is told of it, and has no stanza in the header.
  encrypter.addRecipient({
    wrapFileKey: (key) => {
      fileKey = Uint8Array.from(key);
      return [];
    },
  });
  const empty = await encrypter.encrypt(new Uint8Array());
  if (fileKey === undefined) throw new TypeError('age-encryption asked no recipient');
  // Behind the header: a nonce, and the tag of an empty chunk.
  const header = empty.slice(0, empty.length - NONCE_BYTES - TAG_BYTES);
  if (header.length > MAX_HEADER_BYTES)
    throw new IsyncError('CONFIG_INVALID', `${recipients.length} are too many to encrypt to`);
  return { header, fileKey, nonce: randomBytes(NONCE_BYTES) };
}

function encrypterTo(recipients: readonly string[]): Encrypter {
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (error) {
      throw new IsyncError('CONFIG_INVALID', `"${recipient.slice(0, 100)}" is no public key of age`, {
        hint: 'age-keygen -y FILE prints the public key of a private one.',
        cause: error,
      });
    }
  }
  return encrypter;
}
