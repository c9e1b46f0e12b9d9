import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { DIGEST_ALGORITHMS, digestOf } from '../../../src/model/digest.ts';
import { createResumableDigester, resumeDigester } from '../../../src/store/s3/resumable-digest.ts';
import { formatState, canResume, parseState, type UploadState } from '../../../src/store/s3/upload-state.ts';
import { fileAt } from '../../suites/store/files.ts';

const MIB = 1024 * 1024;
const file = fileAt('edge1/DC1/ä\n"', 100 * MIB, -5);
const state: UploadState = {
  version: 1,
  ...file,
  algorithm: 'xxh64',
  uploadId: '2~abc',
  nonce: 'n',
  partBytes: 8 * MIB,
  boundaries: [{ parts: 1, chain: 'c', digest: Buffer.from('state').toString('base64') }],
};

it('reads what it has written', () => {
  expect(parseState(formatState(state))).toEqual(state);
});

it.each(['', '{', 'null', '[]', '{"version":1}', JSON.stringify({ ...state, version: 2 })])(
  'takes %j for no state',
  (text) => {
    expect(parseState(Buffer.from(text))).toBeUndefined();
  },
);

it('goes on only with the same version of the same file, digest and a sound cut', () => {
  const options = { algorithm: 'xxh64', mostPartBytes: 8 * MIB } as const;
  expect(canResume(state, file, options)).toBe(true);
  expect(canResume(state, file, { ...options, algorithm: 'sha256' })).toBe(false);
  for (const other of [
    { path: 'x' },
    { size: 99 * MIB },
    { mtimeUs: -4 },
    { partBytes: MIB },
    { partBytes: 200 * MIB },
  ])
    expect(canResume({ ...state, ...other }, file, options)).toBe(false);
});

it.each(DIGEST_ALGORITHMS)('goes on with the %s digest of another process', async (algorithm) => {
  const content = randomBytes(1_000_003);
  const first = await createResumableDigester(algorithm);
  first.update(content.subarray(0, 333_333));
  const second = (await resumeDigester(algorithm, first.save()))!;
  first.update(Buffer.from('that the second one must not see'));
  second.update(content.subarray(333_333));
  expect(second.digest()).toEqual(digestOf(algorithm, content));
});

it.each(DIGEST_ALGORITHMS)('goes on with no %s digest that is none', async (algorithm) => {
  const other = await createResumableDigester(algorithm === 'sha256' ? 'xxh64' : 'sha256');
  const whole = (await createResumableDigester(algorithm)).save();
  for (const saved of ['', 'AAAA', other.save(), whole.slice(0, -4)])
    expect(await resumeDigester(algorithm, saved)).toBeUndefined();
});
