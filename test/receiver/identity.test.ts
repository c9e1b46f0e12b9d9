import { describe, expect, it } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { withFileSizeLimit } from '../../src/store/rules/file-size-limit.ts';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { connect } from './wire-client.ts';
import { receiverFor } from './fixtures.ts';

const DC1 = parseRelPath('DC1');

async function welcomed(url: string) {
  const client = await connect(url);
  client.hello('edge1');
  return { client, welcome: await client.next('welcome') };
}

/** A store that fails to tell its identity until it is mended. */
function forgetful(): { store: Store; mend: () => void } {
  const store = createMemoryStore();
  const identity = store.identity.bind(store);
  store.identity = async () => {
    throw new IsyncError('STORE_FULL', 'no room', { retryable: true });
  };
  return { store, mend: () => void (store.identity = identity) };
}

describe('which store a receiver has', () => {
  it('is told in WELCOME, with the process and what LISTED tells', async () => {
    const contents = createMemoryContents();
    const { url } = await receiverFor(withFileSizeLimit(createMemoryStore(contents), 100));
    const first = await welcomed(url);
    const second = await welcomed(url);
    expect(first.welcome.store).toEqual({
      id: contents.id,
      process: expect.stringMatching(/^[0-9a-f-]{36}$/),
      listedMtime: true,
    });
    expect(second.welcome.store).toEqual(first.welcome.store);
  });

  it('is told with another process after a restart', async () => {
    const contents = createMemoryContents();
    const stores = [];
    for (let start = 0; start < 2; start++) {
      const { url } = await receiverFor(createMemoryStore(contents));
      stores.push((await welcomed(url)).welcome.store);
    }
    expect(stores[0]?.id).toBe(stores[1]?.id);
    expect(stores[0]?.process).not.toBe(stores[1]?.process);
  });

  it('ends the session instead of answering SEAL when it has changed', async () => {
    const contents = createMemoryContents();
    const { url } = await receiverFor(createMemoryStore(contents));
    const { client } = await welcomed(url);
    client.say({ type: 'seal', request: 1, directory: DC1 });
    await client.next('sealed');
    contents.id = undefined;
    client.say({ type: 'seal', request: 2, directory: DC1 });
    expect(await client.closed).toEqual({ code: 1001, reason: 'the store is another one' });
    expect(client.inbox).toEqual([]);
    expect((await welcomed(url)).welcome.store?.id).toBe(contents.id);
  });

  it('is left out while the store can not tell it, and nothing is sealed then', async () => {
    const { store, mend } = forgetful();
    const { url, log } = await receiverFor(store);
    const { client, welcome } = await welcomed(url);
    expect(welcome.store).toBeUndefined();
    expect(log.at('warn')).toHaveLength(1);
    client.say({ type: 'seal', request: 1, directory: DC1 });
    expect(await client.next('failed')).toMatchObject({ code: 'STORE_FULL', retryable: true });
    mend();
    client.say({ type: 'seal', request: 2, directory: DC1 });
    expect((await client.closed).code).toBe(1001);
  });
});
