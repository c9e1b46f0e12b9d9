import { expect, it } from 'vitest';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import { createMemoryStore } from '../../../src/store/memory/memory-store.ts';
import { withQuota } from '../../../src/store/rules/quota-store.ts';
import { listPaths, manyOutcomes, putBytes, wholeFile } from '../../suites/store/files.ts';

const FULL = { code: 'STORE_FULL', retryable: true };

it('gives the bytes of a removed file back, once', async () => {
  await using store = withQuota(createMemoryStore(), 10);
  await putBytes(store, 'dev/a', '123456');
  await expect(putBytes(store, 'dev/b', '12345')).rejects.toMatchObject(FULL);
  const path = parseRelPath('dev/a');
  await Promise.all([store.remove(path), store.remove(path), store.remove(path)]);
  await putBytes(store, 'dev/b', '12345');
  await expect(putBytes(store, 'dev/c', '123456')).rejects.toMatchObject(FULL);
  await putBytes(store, 'dev/c', '12345');
});

it('counts removals and puts of one path in their order', async () => {
  await using store = withQuota(createMemoryStore(), 10);
  await putBytes(store, 'dev/a', '1');
  await Promise.all([store.remove(parseRelPath('dev/a')), putBytes(store, 'dev/a', '123456')]);
  await expect(putBytes(store, 'dev/b', '12345')).rejects.toMatchObject(FULL);
  await putBytes(store, 'dev/b', '1234');
});

it('counts many files at once together', async () => {
  await using store = withQuota(createMemoryStore(), 10);
  const { outcome, told } = manyOutcomes();
  await store.putMany(
    ['a', 'b', 'c', 'd'].map((name) => wholeFile(`dev/${name}`, '1234')),
    outcome,
  );
  expect(told.map(([, result]) => result).toSorted()).toEqual(['STORE_FULL', 'STORE_FULL', 'kept', 'kept']);
  expect(await listPaths(store)).toHaveLength(2);
});
