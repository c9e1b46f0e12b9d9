import { describe, expect, it } from 'vitest';
import { Tries } from '../../../src/mirror/bulk/tries.ts';
import { OriginError } from '../../../src/mirror/origin/origin.ts';
import { type ErrorCode, IsyncError } from '../../../src/model/isync-error.ts';

const NEVER = new AbortController().signal;

/** As src/s3/errors.ts makes it: files that wait for a bucket are tried again until somebody has mended that. */
function refused(code: ErrorCode): IsyncError {
  return new IsyncError(code, 'no', { retryable: true });
}

async function failing(tries: Tries, error: Error): Promise<number> {
  let attempts = 0;
  const run = tries.run(async () => {
    attempts += 1;
    throw error;
  });
  await expect(run).rejects.toBe(error);
  return attempts;
}

describe('a key that is refused', () => {
  const refusal = refused('STORE_REFUSED');

  it.each([
    ['by the bucket', refusal],
    ['by an old bucket', new OriginError(502, 'no', { cause: refusal })],
  ])('%s is not tried again; after 32 of them the run ends with what was said', async (_, error) => {
    const tries = new Tries(NEVER);
    for (let key = 1; key < 32; key++) {
      expect(await failing(tries, error)).toBe(1);
      expect(tries.endsRun(error)).toBeUndefined();
    }
    await failing(tries, error);
    expect(tries.endsRun(error)).toBe(refusal);
  });

  it('does not end a run in which others succeed', async () => {
    const tries = new Tries(NEVER);
    for (let key = 0; key < 100; key++) {
      await failing(tries, refusal);
      expect(tries.endsRun(refusal)).toBeUndefined();
      expect(await tries.run(async () => key)).toBe(key);
    }
  });
});

it('a key is tried a few times where one object is wrong, and for as long as it takes where all are away', async () => {
  const tries = new Tries(NEVER, 1_000);
  expect(await failing(tries, new OriginError(502, 'cut'))).toBe(3);
  expect(await failing(tries, new OriginError(302, 'too large'))).toBe(1);
  expect(await failing(tries, refused('UNREACHABLE'))).toBeGreaterThan(1);
});

it('32 keys in a row that find all away end the run', async () => {
  const tries = new Tries(NEVER, 1);
  const error = new OriginError(503, 'away', { isAway: true });
  await Promise.all(Array.from({ length: 32 }, () => failing(tries, error)));
  expect(tries.endsRun(error)).toMatchObject({ code: 'UNREACHABLE' });
});
