import { describe, expect, it } from 'vitest';
import { checksFor, hashOf } from '../../src/events/action/object-checks.ts';
import type { IsyncError } from '../../src/model/isync-error.ts';
import { hasMd5, type ObjectFacts } from '../../src/s3/look.ts';

const DIGITS = Buffer.from('123456789');
const MD5 = '25f9e794323b453885f5181f1b624d0b';

function object(more: Partial<ObjectFacts>): ObjectFacts {
  return {
    size: 9,
    modifiedMs: 0,
    etag: 'x-2',
    metadata: {},
    headers: {},
    versionId: undefined,
    encryption: undefined,
    hasCustomerKey: false,
    storageClass: undefined,
    checksums: {},
    tagCount: 0,
    ...more,
  };
}

// The check values of https://reveng.sourceforge.io/crc-catalogue/all.htm, and what sha1sum and sha256sum tell.
it.each([
  ['CRC32', 'cbf43926'],
  ['CRC32C', 'e3069283'],
  ['CRC64NVME', 'ae8b14860a799888'],
  ['SHA1', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441'],
  ['SHA256', '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225'],
] as const)('%s is that of S3', async (name, hex) => {
  const hash = await hashOf(name);
  hash.update(DIGITS.subarray(0, 4));
  hash.update(DIGITS.subarray(4));
  const value = Buffer.from(hex, 'hex').toString('base64');
  expect(hash.digest()).toBe(value);
  const checks = await checksFor(object({ checksums: { [name]: value } }), true);
  checks.update(Buffer.from('123456788'));
  expect(() => checks.check()).toThrow(expect.objectContaining({ code: 'DIGEST_MISMATCH' }));
});

describe('an ETag is the MD5', () => {
  it.each<[string, boolean, Partial<ObjectFacts>]>([
    ['of a plain object', true, { etag: MD5 }],
    ['under the keys of S3', true, { etag: MD5, encryption: 'AES256' }],
    ['not of parts', false, { etag: `${MD5}-2` }],
    ['not under a key of KMS', false, { etag: MD5, encryption: 'aws:kms' }],
    ['not under two of them', false, { etag: MD5, encryption: 'aws:kms:dsse' }],
    ['not under a key of the customer', false, { etag: MD5, hasCustomerKey: true }],
    ['not in a directory bucket', false, { etag: MD5, storageClass: 'EXPRESS_ONEZONE' }],
  ])('%s: %s', async (_, expected, more) => {
    expect(hasMd5(object(more))).toBe(expected);
    const checks = await checksFor(object(more), false);
    checks.update(Buffer.from('others'));
    const verdict = (): string => {
      try {
        checks.check();
        return 'right';
      } catch (error) {
        return (error as IsyncError).code;
      }
    };
    expect(verdict()).toMatch(expected ? /^DIGEST_MISMATCH$/ : /^right$/);
  });
});
