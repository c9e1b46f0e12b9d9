import { describe, expect, it } from 'vitest';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { acknowledge } from './fake-receiver.ts';
import { MemorySource } from './memory-source.ts';
import { QUICK, receive, scripted, send, usingForTest } from './receiver-fixture.ts';

const file = (name: string) => new MemorySource(`DC1/${name}`, Buffer.from(name));

describe('ws target: who is there', () => {
  it('waits for a link, and tells what its WELCOME said', async () => {
    const store = {
      id: 'a store',
      process: 'a process',
      listedMtime: true,
      checksLooks: true,
      retirements: false,
    };
    const { target } = await scripted({ store, message: acknowledge });
    const identity = await target.identify();
    expect(identity).toMatchObject({ store: 'a store', listedMtime: true });
    expect((await target.put(file('a'))).incarnation).toBe(identity.incarnation);
  });

  it('counts nothing beyond the session where the receiver does not say which store it has', async () => {
    const { receiver, target } = await scripted({
      hello: ({ number, say, heard: [hello] }) =>
        hello?.type === 'hello' &&
        say({
          type: 'welcome',
          version: 1,
          session: `session ${number}`,
          device: hello.device,
          software: 'old',
          limits: { filesInFlight: 10, openUploads: 1, requests: 1 },
          compression: [],
          store: undefined,
        }),
      message: acknowledge,
    });
    const first = await target.identify();
    expect(first).toEqual({ store: undefined, incarnation: 'session 1', listedMtime: false });
    const before = await target.put(file('a'));
    receiver.sessions[0]?.socket.close(1001);
    await expect.poll(() => receiver.sessions.length).toBe(2);
    await expect.poll(async () => (await target.identify()).incarnation).toBe('session 2');
    expect(before.incarnation).toBe('session 1');
    expect((await target.put(file('b'))).incarnation).toBe('session 2');
  });

  it('asks a receiver that can not say whose answer it gives for no digest that must be of one store', async () => {
    const store = {
      id: 'a store',
      process: 'a process',
      listedMtime: true,
      checksLooks: false,
      retirements: false,
    };
    const { receiver, target } = await scripted({ store });
    const looked = target.look([parseRelPath('DC1/a')], { digest: true, store: 'a store' });
    await expect(looked).rejects.toMatchObject({ code: 'VERSION_UNSUPPORTED' });
    expect(receiver.heard.map(({ type }) => type)).not.toContain('look');
  });

  it('does not ask a receiver that knows of no retirements for one', async () => {
    const store = {
      id: 'a store',
      process: 'a process',
      listedMtime: true,
      checksLooks: true,
      retirements: false,
    };
    const { receiver, target } = await scripted({ store });
    expect(await target.retiredAt(parseRelPath('DC1'))).toBeUndefined();
    expect(receiver.heard.map(({ type }) => type)).not.toContain('retired');
  });

  it('tells the same store and another incarnation when the receiver was restarted', async () => {
    const contents = createMemoryContents();
    const receiver = await receive(createMemoryStore(contents));
    const target = usingForTest(send(receiver.url, QUICK));
    const before = await target.put(file('a'));
    const first = await target.identify();
    await receiver[Symbol.asyncDispose]();
    const { port } = receiver;
    const listen = { host: '127.0.0.1', port };
    usingForTest(await receive(createMemoryStore(contents), { listen }));
    const after = await target.put(file('b'));
    const second = await target.identify();
    expect(second.store).toBe(first.store);
    expect([before.incarnation, after.incarnation]).toEqual([first.incarnation, second.incarnation]);
    expect(second.incarnation).not.toBe(first.incarnation);
  });

  it('is not told when nobody is there, once the retry limit is over', async () => {
    const { target } = await scripted({ status: () => 503 }, { ...QUICK, giveUpAfterMs: 50 });
    await expect(target.identify()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await expect(target.identify()).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  it('is not told by a receiver that refuses us, then or later', async () => {
    const { target } = await scripted({ status: () => 401 });
    await expect(target.identify()).rejects.toMatchObject({ code: 'AUTH_REFUSED' });
    await expect(target.identify()).rejects.toMatchObject({ code: 'AUTH_REFUSED' });
  });

  it('lets a caller give up waiting', async () => {
    const { target } = await scripted({ hello: () => {} });
    const aborts = new AbortController();
    const told = target.identify({ signal: aborts.signal });
    aborts.abort(new Error('enough'));
    await expect(told).rejects.toThrow('enough');
  });
});
