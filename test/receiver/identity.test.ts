import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { withFileSizeLimit } from '../../src/store/rules/file-size-limit.ts';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { connect } from './wire-client.ts';
import { receiverFor } from './fixtures.ts';
import { QUICK, send, usingForTest } from '../sender/receiver-fixture.ts';
import { MemorySource } from '../sender/memory-source.ts';

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

/** A store that takes its time to tell its identity, and gives up when nobody wants to know any more. */
function slow() {
  const store = createMemoryStore();
  const identity = store.identity.bind(store);
  const gate = Promise.withResolvers<void>();
  const asked: (AbortSignal | undefined)[] = [];
  store.identity = async ({ signal } = {}) => {
    asked.push(signal);
    await gate.promise;
    return identity({ signal });
  };
  return { store, asked, answer: () => gate.resolve() };
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
      checksLooks: true,
      retirements: false,
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

  it('ends the session instead of answering LOOK with digest when it has changed', async () => {
    const contents = createMemoryContents();
    const { url } = await receiverFor(createMemoryStore(contents));
    const { client } = await welcomed(url);
    const paths = [parseRelPath('DC1/a')];
    client.say({ type: 'look', request: 1, digest: true, paths });
    await client.next('looked');
    contents.id = undefined;
    client.say({ type: 'look', request: 2, digest: false, paths });
    await client.next('looked');
    client.say({ type: 'look', request: 3, digest: true, paths });
    expect(await client.closed).toEqual({ code: 1001, reason: 'the store is another one' });
    expect(client.inbox).toEqual([]);
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

  it('is waited for with KEEPALIVE, however long the store takes', async () => {
    const { store, answer } = slow();
    const { url } = await receiverFor(store, { limits: { keepaliveMs: 10 } });
    const client = await connect(url);
    client.hello('edge1');
    await vi.waitFor(() => expect(client.keepalives).toBeGreaterThan(2), 60_000);
    expect(client.inbox).toEqual([]);
    answer();
    expect((await client.next('welcome')).store).toBeDefined();
  });

  it('is asked for once, for all sessions that wait and also for those that come when one has left', async () => {
    const { store, asked, answer } = slow();
    const { url, log } = await receiverFor(store, { limits: { keepaliveMs: 10 } });
    const [leaves, stays] = [await connect(url), await connect(url)];
    for (const client of [leaves, stays]) client.hello('edge1', { mode: 'read' });
    await vi.waitFor(() => expect(asked).toHaveLength(1), 60_000);
    await leaves.close();
    const comes = await connect(url);
    comes.hello('edge2');
    await vi.waitFor(() => expect(comes.keepalives).toBeGreaterThan(0), 60_000);
    answer();
    for (const client of [stays, comes]) expect((await client.next('welcome')).store).toBeDefined();
    expect(asked).toHaveLength(1);
    expect(log.at('warn')).toEqual([]);
  });

  it('reaches a sender that gives up sooner than the store answers, in a later session', async () => {
    const store = createMemoryStore();
    const identity = store.identity.bind(store);
    store.identity = async (options = {}) => {
      await delay(300, undefined, { signal: options.signal });
      return identity(options);
    };
    const { url } = await receiverFor(store);
    const target = usingForTest(send(url, QUICK, { deadlines: { welcomeMs: 100 } }));
    await target.put(new MemorySource('DC1/a', Buffer.from('a')));
    expect((await target.identify()).store).toBeDefined();
    await target.seal(DC1, undefined);
  });

  it('that never comes does not hold up the end of the receiver', async () => {
    const { store, asked } = slow();
    const { url, receiver } = await receiverFor(store);
    const client = await connect(url);
    client.hello('edge1');
    await vi.waitFor(() => expect(asked).toHaveLength(1), 60_000);
    await receiver[Symbol.asyncDispose]();
    expect((await client.closed).code).toBe(1001);
    expect(asked[0]?.aborted).toBe(true);
  });
});
