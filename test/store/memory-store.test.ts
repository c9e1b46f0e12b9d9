import { expect, it } from 'vitest';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { fileAt } from '../suites/store/files.ts';

it('goes on with whole parts only where it is like a bucket', async () => {
  const contents = createMemoryContents();
  const store = createMemoryStore(contents, { like: 'bucket' });
  const file = fileAt('d/f', 1_000_000);
  const options = { algorithm: 'xxh64', resume: true } as const;
  const first = await store.begin(file, options);
  await first.write(Buffer.alloc(100_000), Buffer.alloc(50_000));
  await first.suspend();
  const second = await store.begin(file, options);
  expect(second.offset).toBe(131_072);
  await second.suspend();
  expect((await createMemoryStore(contents).begin(file, options)).offset).toBe(131_072);
});
