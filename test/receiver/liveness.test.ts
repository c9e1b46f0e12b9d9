import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { encode } from '../../src/protocol/codec.ts';
import { gatedStore, receiverFor } from './fixtures.ts';
import { connect, greet, inlineFile } from './wire-client.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('deadlines', () => {
  it('close a connection that says no HELLO with 4408', async () => {
    const { url } = await receiverFor(gatedStore().store, { limits: { helloMs: 40 } });
    const client = await connect(url);
    client.ws.ping();
    expect(await client.closed).toEqual({ code: 4408, reason: 'no HELLO in time' });
  });

  it('close a session whose sender is silent with 4408', async () => {
    const { url } = await receiverFor(gatedStore().store, { limits: { silenceMs: 40 } });
    const client = await greet(url, 'edge1');
    expect((await client.closed).code).toBe(4408);
  });

  it('cut a link that is dead, and let its device in again', async () => {
    const { url, log } = await receiverFor(gatedStore().store, { limits: { silenceMs: 40, closeMs: 40 } });
    const dead = await greet(url, 'edge1');
    // As if a router had forgotten it: it hears nothing and answers nothing.
    dead.ws.pause();
    await vi.waitFor(
      () => expect(log.lines.map(({ message }) => message)).toContain('connection closed'),
      60_000,
    );
    await greet(url, 'edge1');
  });

  it('spare a sender that says KEEPALIVE, and KEEPALIVE comes back', async () => {
    const { url } = await receiverFor(gatedStore().store, { limits: { silenceMs: 400, keepaliveMs: 20 } });
    const client = await greet(url, 'edge1');
    const start = performance.now();
    while (performance.now() - start < 1000) {
      const { keepalives } = client;
      await vi.waitFor(() => expect(client.keepalives).toBeGreaterThan(keepalives), {
        interval: 5,
        timeout: 60_000,
      });
      client.say({ type: 'keepalive' });
    }
    expect(client.ws.readyState).toBe(WebSocket.OPEN);
  });

  it('count bytes, so that a message may take longer than they are', async () => {
    const { url } = await receiverFor(gatedStore().store, { limits: { silenceMs: 400, keepaliveMs: 20 } });
    const client = await greet(url, 'edge1');
    const message = encode({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'x'.repeat(20))] });
    const frame = Buffer.concat([Buffer.of(0x82, 0x80 | message.length, 0, 0, 0, 0), message]);
    const { _socket: socket } = client.ws as unknown as { _socket: NodeJS.WritableStream };
    const start = performance.now();
    for (const byte of frame) {
      const { keepalives } = client;
      await vi.waitFor(() => expect(client.keepalives).toBeGreaterThan(keepalives), {
        interval: 5,
        timeout: 60_000,
      });
      socket.write(Buffer.of(byte));
    }
    expect(await client.acknowledged(1)).toEqual([1]);
    expect(performance.now() - start).toBeGreaterThan(400);
  });
});

describe('a store that is slow', () => {
  const content = Buffer.alloc(64 * 1024);
  /** What a socket is read by at most, in bytes. */
  const READ_BYTES = 512 * 1024;

  it('pauses the socket instead of filling memory, and blames nobody for the silence', async () => {
    const store = gatedStore();
    const limits = { pendingBytes: 1024 * 1024, keepaliveMs: 10, silenceMs: 100 };
    const { url } = await receiverFor(store.store, { limits });
    const pause = vi.spyOn(WebSocket.prototype, 'pause');
    const put = vi.spyOn(store.store, 'put');
    const client = await greet(url, 'edge1');
    store.shut();
    for (let id = 1; id <= 256; id++)
      client.say({ type: 'files', firstId: id, files: [inlineFile(`DC1/${id}`, content)] });
    await vi.waitFor(() => expect(pause).toHaveBeenCalledTimes(1), 60_000);
    // Long past the deadline for silence.
    await vi.waitFor(() => expect(client.keepalives).toBeGreaterThan(30), 60_000);
    expect(pause).toHaveBeenCalledTimes(1);
    // What was read from the socket before it paused: one read more at most.
    expect(put.mock.calls.length * content.length).toBeLessThanOrEqual(
      limits.pendingBytes + READ_BYTES + content.length,
    );
    store.open();
    expect(await client.acknowledged(256)).toHaveLength(256);
    expect(store.paths()).toHaveLength(256);
  });

  it('does not keep the socket open when the session is closed: what was sent is read away', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store, { limits: { pendingBytes: 100_000, closeMs: 600_000 } });
    const client = await greet(url, 'edge1');
    store.shut();
    for (let id = 1; id <= 64; id++)
      client.say({ type: 'files', firstId: id, files: [inlineFile(`DC1/${id}`, content)] });
    const next = await connect(url);
    next.hello('edge1');
    expect((await client.closed).code).toBe(4409);
    store.open();
    await next.next('welcome');
  });
});
