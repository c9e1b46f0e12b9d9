import { randomBytes } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { freePort } from '../../harness/free-port.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { gatedStore, receiverFor } from './fixtures.ts';
import { connect, greet, inlineFile, type WireClient } from './wire-client.ts';

/** Returns when the receiver has dealt with everything said before. */
async function settled(client: WireClient): Promise<void> {
  client.say({ type: 'look', request: 1, digest: false, paths: [] });
  await client.next('looked');
}

describe('a newer write session of a device', () => {
  it('ends the older one with 4409, and is welcome when that has finished its commits', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const old = await greet(url, 'edge1');
    store.shut();
    old.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'of the old')] });
    await settled(old);
    const young = await connect(url);
    young.hello('edge1');
    expect(await old.closed).toMatchObject({ code: 4409 });
    // The receiver answers others meanwhile, so it had every chance to answer this one.
    await settled(await greet(url, 'edge1', { hello: { mode: 'read' } }));
    expect(young.inbox).toEqual([]);
    store.open();
    await young.next('welcome');
    expect(store.text('edge1/DC1/a')).toBe('of the old');
  });

  it('finds the upload of the older one kept', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const old = await greet(url, 'edge1');
    old.open(1, 'DC1/a', 1000);
    old.chunks(1, randomBytes(600));
    await settled(old);
    const young = await greet(url, 'edge1');
    young.open(1, 'DC1/a', 1000, true);
    expect(await young.next('offset')).toEqual({ type: 'offset', id: 1, offset: 600 });
  });

  it('waits for all that came before it, also those that were not welcome yet', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const first = await greet(url, 'edge1');
    store.shut();
    first.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'a')] });
    await settled(first);
    const second = await connect(url);
    second.hello('edge1');
    await first.closed;
    const third = await connect(url);
    third.hello('edge1');
    expect((await second.closed).code).toBe(4409);
    await settled(await greet(url, 'edge1', { hello: { mode: 'read' } }));
    expect(third.inbox).toEqual([]);
    expect(second.inbox).toEqual([]);
    store.open();
    await third.next('welcome');
    expect(store.paths()).toEqual(['edge1/DC1/a']);
  });

  it('fences no other device, and none that reads', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const other = await greet(url, 'edge2');
    const reader = await greet(url, 'edge1', { hello: { mode: 'read' } });
    await greet(url, 'edge1');
    await greet(url, 'edge1');
    await settled(other);
    await settled(reader);
    expect([other.inbox, reader.inbox]).toEqual([[], []]);
  });
});

describe('closing the receiver', () => {
  it('acknowledges what was being committed, keeps open uploads, and closes with 1001', async () => {
    const store = gatedStore();
    const { receiver, url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    store.shut();
    client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'a')] });
    client.upload(2, 'DC1/b', Buffer.from('b'));
    client.open(3, 'DC1/c', 1000);
    client.chunks(3, randomBytes(600));
    await settled(client);
    const closed = receiver[Symbol.asyncDispose]();
    expect(receiver[Symbol.asyncDispose]()).toBe(closed);
    await expect(connect(url)).rejects.toThrow(/ECONNREFUSED/);
    store.open();
    expect(await client.acknowledged(2)).toEqual([1, 2]);
    expect((await client.closed).code).toBe(1001);
    await closed;
    expect(store.paths()).toEqual(['edge1/DC1/a', 'edge1/DC1/b']);

    const again = await greet((await receiverFor(store.store)).url, 'edge1');
    again.open(1, 'DC1/c', 1000, true);
    expect(await again.next('offset')).toMatchObject({ offset: 600 });
  });

  it('cuts what does not come to an end in time, and says so', async () => {
    const store = gatedStore();
    const { receiver, url, log } = await receiverFor(store.store, { limits: { shutdownMs: 2_000 } });
    const client = await greet(url, 'edge1');
    const mute = await connect(url);
    store.shut();
    client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'a')] });
    await settled(client);
    await receiver[Symbol.asyncDispose]();
    expect((await client.closed).code).toBe(1006);
    expect((await mute.closed).code).toBe(1001);
    expect(log.at('warn')).toMatchObject([{ fields: { sessions: 1 } }]);
    store.open();
  });

  it('ends when nobody is connected, and frees its port', async () => {
    const store = gatedStore().store;
    const listen = { host: '127.0.0.1', port: await freePort() };
    const { receiver } = await receiverFor(store, { listen });
    await receiver[Symbol.asyncDispose]();
    const { receiver: next } = await receiverFor(store, { listen });
    expect(next.port).toBe(listen.port);
  });
});

describe('links that break', () => {
  it('leave nothing behind that keeps the device out or the log in errors', async () => {
    const store = gatedStore();
    const { url, log } = await receiverFor(store.store);
    for (let round = 0; round < 10; round++) {
      const client = await greet(url, 'edge1');
      client.open(1, 'DC1/a', 1_000_000, round > 0);
      if (round > 0) await client.next('offset');
      client.say({ type: 'files', firstId: 2, files: [inlineFile(`DC1/f${round}`, 'x')] });
      client.say({ type: 'list', request: 1, prefix: '' });
      client.ws.terminate();
    }
    const last = await greet(url, 'edge1');
    last.say({ type: 'look', request: 1, digest: false, paths: [parseRelPath('DC1/f0')] });
    await last.next('looked');
    expect([...log.at('error'), ...log.at('warn')]).toEqual([]);
    const opened = log.lines.filter(({ message }) => message === 'session opened');
    await vi.waitFor(() => {
      const ended = log.lines.filter(({ message }) => message === 'session ended');
      expect(ended).toHaveLength(opened.length - 1);
    }, 60_000);
  });
});
