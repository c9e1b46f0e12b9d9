import { expect, it } from 'vitest';
import { DIGEST_ALGORITHMS, digestOf } from '../../src/model/digest.ts';
import { digestOfZeros } from '../../src/store/digest-of-zeros.ts';

it.each(DIGEST_ALGORITHMS)('tells the %s of zeros, of none and of many', async (algorithm) => {
  for (const size of [0, 1, 4 * 1024 * 1024, 9_000_001])
    expect(await digestOfZeros(algorithm, size)).toEqual(digestOf(algorithm, Buffer.alloc(size)));
});
