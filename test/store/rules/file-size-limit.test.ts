import { expect, it, vi } from 'vitest';
import { digestOf } from '../../../src/model/digest.ts';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import { withFileSizeLimit } from '../../../src/store/rules/file-size-limit.ts';
import { createMemoryStore } from '../../../src/store/memory/memory-store.ts';
import { listPaths, manyOutcomes, wholeFile } from '../../suites/store/files.ts';

it('refuses larger files before the store hears of them, and takes those at the limit', async () => {
  const inner = createMemoryStore();
  const begin = vi.spyOn(inner, 'begin');
  const store = withFileSizeLimit(inner, 3);
  const path = parseRelPath('d/DC1/a');
  const options = { algorithm: 'xxh64', resume: true } as const;
  const digest = (text: string) => ({
    algorithm: 'xxh64' as const,
    value: digestOf('xxh64', Buffer.from(text)),
  });
  const tooLarge = { code: 'FILE_TOO_LARGE', path, retryable: false };
  const large = { path, size: 4, mtimeUs: 0 };
  await expect(store.put(large, Buffer.from('four'), digest('four'))).rejects.toMatchObject(tooLarge);
  await expect(store.begin(large, options)).rejects.toMatchObject(tooLarge);
  expect(begin).not.toHaveBeenCalled();
  expect(await store.stat(path)).toBeUndefined();
  const small = { path, size: 3, mtimeUs: 0 };
  await store.put(small, Buffer.from('one'), digest('one'));
  await (await store.begin(small, options)).abort();
  expect(await store.stat(path)).toMatchObject({ size: 3 });
});

it('refuses of many files only the larger ones', async () => {
  const store = withFileSizeLimit(createMemoryStore(), 3);
  const { outcome, codes } = manyOutcomes();
  await store.putMany(
    ['one', 'four', 'six'].map((text) => wholeFile(`d/${text}`, text)),
    outcome,
  );
  expect(codes()).toEqual({ 'd/one': 'kept', 'd/four': 'FILE_TOO_LARGE', 'd/six': 'kept' });
  expect(await listPaths(store)).toEqual(['d/one', 'd/six']);
});
