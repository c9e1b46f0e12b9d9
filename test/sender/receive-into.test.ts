import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { BufferPool } from '../../src/flow/buffer-pool.ts';
import { receiveInto } from '../../src/sender/ws/receive-into.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Both ends of a new WebSocket on loopback. */
async function pair(): Promise<{ client: WebSocket; server: WebSocket }> {
  const listening = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(listening, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(listening.address() as AddressInfo).port}`);
  const [[server]] = await Promise.all([
    once(listening, 'connection') as Promise<[WebSocket]>,
    once(client, 'open'),
  ]);
  onTestFinished(() => {
    client.terminate();
    listening.close();
  });
  return { client, server };
}

it('puts large messages into memory of the pool, and hands on every message as it was sent', async () => {
  const { client, server } = await pair();
  const pool = new BufferPool(MIB + 4 * KIB, 4);
  expect(receiveInto(client, pool)).toBe(true);
  const sizes = [MIB, 1, MIB + 4 * KIB, 0, 600 * KIB, 511 * KIB, 3 * MIB, 70_000, MIB, MIB];
  const sent = sizes.map((size) => randomBytes(size));
  const memory = new Set<ArrayBufferLike>();
  const wrong: number[] = [];
  let count = 0;
  client.on('message', (message: Buffer) => {
    const nth = count++;
    if (!message.equals(sent[nth % sent.length]!)) wrong.push(nth);
    if (pool.giveBack(message)) memory.add(message.buffer);
  });
  for (let round = 0; round < 5; round++) for (const message of sent) server.send(message);
  await vi.waitFor(() => expect(count).toBe(5 * sent.length), 60_000);
  expect(wrong).toEqual([]);
  // Each was done with at once.
  expect(memory.size).toBe(1);
});

it('leaves what is held alone, and messages in several frames, and texts', async () => {
  const { client, server } = await pair();
  receiveInto(client, new BufferPool(MIB, 4));
  const held: { message: Buffer; isBinary: boolean }[] = [];
  client.on('message', (message: Buffer, isBinary) => void held.push({ message, isBinary }));
  const sent = Array.from({ length: 10 }, () => randomBytes(MIB));
  for (const message of sent) {
    server.send(message.subarray(0, 600 * KIB), { fin: false });
    server.send(message.subarray(600 * KIB), { fin: true });
    server.send(message);
  }
  server.send('x'.repeat(MIB));
  await vi.waitFor(() => expect(held).toHaveLength(21), 60_000);
  for (const [at, message] of sent.entries()) {
    expect(held[2 * at]!.message.equals(message)).toBe(true);
    expect(held[2 * at + 1]!.message.equals(message)).toBe(true);
  }
  expect(held.at(-1)).toMatchObject({ isBinary: false });
  expect(held.at(-1)!.message.toString()).toBe('x'.repeat(MIB));
});

it('changes nothing where the inside of the library is not as expected', async () => {
  const { client } = await pair();
  const receiver = Reflect.get(client, '_receiver') as object;
  const consume: unknown = Reflect.get(receiver, 'consume');
  const reads: unknown = Reflect.get(receiver, '_buffers');
  Reflect.set(receiver, '_buffers', undefined);
  expect(receiveInto(client, new BufferPool(MIB, 4))).toBe(false);
  expect(Reflect.get(receiver, 'consume')).toBe(consume);
  Reflect.set(client, '_receiver', null);
  expect(receiveInto(client, new BufferPool(MIB, 4))).toBe(false);
  Reflect.set(receiver, '_buffers', reads);
  Reflect.set(client, '_receiver', receiver);
});
