import { beforeEach, describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../../src/model/digest.ts';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import { withImmutable } from '../../../src/store/rules/immutable-store.ts';
import { createMemoryContents, createMemoryStore } from '../../../src/store/memory/memory-store.ts';
import type { Store, Upload } from '../../../src/store/store.ts';
import { digestIn } from '../../suites/store/files.ts';

let inner: Store;
let store: Store;
beforeEach(() => {
  inner = createMemoryStore(createMemoryContents());
  store = withImmutable(inner);
});

const path = parseRelPath('d/DC1/a');
const REFUSED = { code: 'IMMUTABLE', path, retryable: false };

function fileOf(text: string) {
  return { path, size: text.length, mtimeUs: 0 };
}

async function put(text: string): Promise<void> {
  const value = digestOf('xxh64', Buffer.from(text));
  await store.put(fileOf(text), Buffer.from(text), { algorithm: 'xxh64', value });
}

async function upload(text: string): Promise<Upload> {
  const begun = await store.begin(fileOf(text), { algorithm: 'xxh64', resume: true });
  await begun.write(Buffer.from(text).subarray(begun.offset));
  return begun;
}

async function commit(text: string): Promise<void> {
  await (await upload(text)).commit(digestOf('xxh64', Buffer.from(text)));
}

async function kept(): Promise<Buffer | undefined> {
  return await digestIn(store, path);
}

describe.each([
  ['put whole', put],
  ['uploaded', commit],
])('a file that is %s', (_, send) => {
  it('is kept, and the same content is taken again', async () => {
    await send('one');
    await send('one');
    expect(await kept()).toEqual(digestOf('xxh64', Buffer.from('one')));
  });

  it.each(['two', 'longer'])('is never replaced by %j', async (other) => {
    await send('one');
    await expect(send(other)).rejects.toMatchObject(REFUSED);
    expect(await kept()).toEqual(digestOf('xxh64', Buffer.from('one')));
  });
});

describe('an upload', () => {
  it('of another size is refused before any byte of it comes', async () => {
    await put('one');
    const begin = vi.spyOn(inner, 'begin');
    await expect(upload('longer')).rejects.toMatchObject(REFUSED);
    expect(begin).not.toHaveBeenCalled();
  });

  it('replaces nothing that was kept while it was under way', async () => {
    const under = await upload('one');
    await put('two');
    await expect(under.commit(digestOf('xxh64', Buffer.from('one')))).rejects.toMatchObject(REFUSED);
    await under.abort();
    expect(await kept()).toEqual(digestOf('xxh64', Buffer.from('two')));
  });

  it('is let go of when its content was kept meanwhile, so that another one can begin', async () => {
    const under = await upload('one');
    await put('one');
    await under.commit(digestOf('xxh64', Buffer.from('one')));
    const again = await store.begin(fileOf('one'), { algorithm: 'xxh64', resume: true });
    expect(again.offset).toBe(0);
    await again.abort();
  });

  it('is kept for a resume when it is suspended', async () => {
    await (await upload('one')).suspend();
    expect((await store.begin(fileOf('one'), { algorithm: 'xxh64', resume: true })).offset).toBe(3);
  });
});

it('removes nothing that is kept', async () => {
  await put('one');
  await expect(store.remove(path)).rejects.toMatchObject(REFUSED);
  expect(await kept()).toEqual(digestOf('xxh64', Buffer.from('one')));
  await store.remove(parseRelPath('d/DC1/none'));
});
