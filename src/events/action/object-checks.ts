import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { createCRC32, createCRC64, type IHasher } from 'hash-wasm';
import type { Digester } from '../../model/digest.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { type ChecksumName, CHECKSUMS, hasMd5, type ObjectFacts } from '../../s3/look.ts';
import type { ContentChecks } from '../../store/file/local-store.ts';

/** https://reveng.sourceforge.io/crc-catalogue/all.htm: CRC-32/ISCSI and CRC-64/NVME, the bits reversed */
const CRC32C_POLYNOMIAL = 0x82f63b78;
const CRC64NVME_POLYNOMIAL = '9a6c9329ac4bc9b5';

/**
 * What says that bytes are those of an object (else DIGEST_MISMATCH, retryable): MD5, where the ETag is one, and with `checksums` also those that the object has: for bytes that come in ranges. Those of a
 * whole body are checked by the SDK.
 */
export async function checksFor(object: ObjectFacts, checksums: boolean): Promise<ContentChecks> {
  const expected: Expected[] = [];
  if (hasMd5(object)) expected.push({ name: 'MD5', value: object.etag, hash: nodeHash('md5', 'hex') });
  for (const name of checksums ? CHECKSUMS : []) {
    const value = object.checksums[name];
    if (value !== undefined) expected.push({ name, value, hash: await hashOf(name) });
  }
  return {
    update: (bytes) => {
      for (const { hash } of expected) hash.update(bytes);
    },
    check: () => {
      for (const { name, value, hash } of expected) {
        const actual = hash.digest();
        if (actual !== value)
          throw new IsyncError(
            'DIGEST_MISMATCH',
            `${name} of the bytes is ${actual}, that of the object ${value}`,
          );
      }
    },
  };
}

interface Expected {
  readonly name: string;
  readonly value: string;
  readonly hash: TextHash;
}

interface TextHash extends Pick<Digester, 'update'> {
  /** As the server writes it. */
  digest(): string;
}

/** A hash in base64, as checksums are written. */
export async function hashOf(name: ChecksumName): Promise<TextHash> {
  switch (name) {
    case 'CRC32':
      return crc32Hash();
    case 'CRC32C':
      return wasmHash(await createCRC32(CRC32C_POLYNOMIAL));
    case 'CRC64NVME':
      return wasmHash(await createCRC64(CRC64NVME_POLYNOMIAL));
    case 'SHA1':
      return nodeHash('sha1', 'base64');
    case 'SHA256':
      return nodeHash('sha256', 'base64');
  }
}

function nodeHash(algorithm: string, encoding: 'hex' | 'base64'): TextHash {
  const hash = createHash(algorithm);
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest(encoding) };
}

function crc32Hash(): TextHash {
  let value = 0;
  return {
    update: (bytes) => {
      value = crc32(bytes, value);
    },
    digest: () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes.toString('base64');
    },
  };
}

function wasmHash(hash: IHasher): TextHash {
  hash.init();
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => Buffer.from(hash.digest('binary')).toString('base64'),
  };
}
