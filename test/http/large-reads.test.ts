import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { apartFromRead, readLarge, readLargeInRing } from '../../src/http/large-reads.ts';

const MIB = 1024 * 1024;

/** Both ends of a new connection on loopback: its client, and what the server has accepted. */
async function pair(): Promise<{ client: Socket; accepted: Socket }> {
  const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const [client, [accepted]] = [connect(port, '127.0.0.1'), (await once(server, 'connection')) as [Socket]];
  await once(client, 'connect');
  onTestFinished(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { client, accepted };
}

/** What comes in pieces, until the end. */
function collect(socket: Socket) {
  const pieces: Buffer[] = [];
  socket.on('data', (piece) => void pieces.push(piece));
  return { pieces, ended: once(socket, 'end').then(() => Buffer.concat(pieces)) };
}

it('hands on all bytes in their order, in pieces longer than those of Node, and then the end', async () => {
  const { client, accepted } = await pair();
  expect(readLarge(accepted)).toBe(true);
  const { pieces, ended } = collect(accepted);
  const content = randomBytes(20 * MIB);
  client.end(content);
  expect((await ended).equals(content)).toBe(true);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeGreaterThan(64 * 1024);
  expect(accepted.bytesRead).toBe(content.length);
});

it('keeps the bytes of several connections apart', async () => {
  const pairs = await Promise.all(Array.from({ length: 5 }, () => pair()));
  const contents = pairs.map(() => randomBytes(3 * MIB));
  const ended = pairs.map(({ accepted }) => {
    expect(readLarge(accepted)).toBe(true);
    return collect(accepted).ended;
  });
  for (const [at, { client }] of pairs.entries()) client.end(contents[at]!);
  for (const [at, bytes] of (await Promise.all(ended)).entries())
    expect(bytes.equals(contents[at]!)).toBe(true);
});

it('reads no further while the socket is paused', async () => {
  const { client, accepted } = await pair();
  readLarge(accepted);
  const { pieces, ended } = collect(accepted);
  accepted.once('data', () => accepted.pause());
  const content = randomBytes(40 * MIB);
  client.end(content);
  await once(accepted, 'pause');
  // More than the buffers of the kernel take: the client can only wait.
  for (let at = 0; at < 50; at++) await turn();
  expect(pieces).toHaveLength(1);
  expect(client.writableLength).toBeGreaterThan(0);
  accepted.resume();
  expect((await ended).equals(content)).toBe(true);
});

it('tells that a connection was cut', async () => {
  const { client, accepted } = await pair();
  readLarge(accepted);
  accepted.resume();
  const failed = once(accepted, 'error');
  client.resetAndDestroy();
  expect(await failed).toMatchObject([{ code: 'ECONNRESET' }]);
  expect(accepted.destroyed).toBe(true);
});

it('leaves a socket alone that holds bytes already, is none of TCP, or is not made as expected', async () => {
  const { client, accepted } = await pair();
  accepted.unshift(Buffer.from('first'));
  expect(readLarge(accepted)).toBe(false);
  expect(readLarge(new TLSSocket(client))).toBe(false);
  expect(readLarge(new Socket())).toBe(false);
  const { accepted: other } = await pair();
  for (const symbol of Object.getOwnPropertySymbols(other))
    if (symbol.description === 'kBufferCb') Reflect.deleteProperty(other, symbol);
  expect(readLarge(other)).toBe(false);
  const { ended } = collect(accepted);
  client.end(' second');
  expect((await ended).toString()).toBe('first second');
});

it('has a message hold no more than twice its bytes, or what a read of Node holds', () => {
  const read = Buffer.allocUnsafeSlow(512 * 1024);
  for (const [length, held] of [
    [read.length / 2, read.length],
    [read.length / 2 - 1, read.length / 2 - 1],
    [100 * 1024, 100 * 1024],
  ] as const) {
    const message = apartFromRead(read.subarray(7, 7 + length));
    expect(message.equals(read.subarray(7, 7 + length))).toBe(true);
    expect(message.buffer.byteLength).toBe(held);
  }
  const small = Buffer.allocUnsafeSlow(64 * 1024).subarray(5, 6);
  expect(apartFromRead(small)).toBe(small);
});

it('what is read into a ring is not copied, and stays while as much more is read as was asked', async () => {
  const { client, accepted } = await pair();
  const kept = 2 * MIB;
  expect(readLargeInRing(accepted, kept)).toBe(true);
  const content = randomBytes(40 * MIB);
  const held: { piece: Buffer; start: number }[] = [];
  const memory = new Set<ArrayBufferLike>();
  let read = 0;
  let wrong = 0;
  accepted.on('data', (piece: Buffer) => {
    memory.add(piece.buffer);
    held.push({ piece, start: read });
    read += piece.length;
    while (held[0] !== undefined && held[0].start < read - kept) held.shift();
    for (const { piece, start } of held)
      if (!piece.equals(content.subarray(start, start + piece.length))) wrong++;
  });
  client.end(content);
  await once(accepted, 'end');
  expect({ read, wrong, memory: memory.size }).toEqual({ read: content.length, wrong: 0, memory: 1 });
});

it('a message that lies in a ring is copied out of it', async () => {
  const { client, accepted } = await pair();
  readLargeInRing(accepted, 0);
  client.write(Buffer.alloc(16, 7));
  const [piece] = (await once(accepted, 'data')) as [Buffer];
  const message = apartFromRead(piece);
  expect(message.equals(piece)).toBe(true);
  expect(message.buffer).not.toBe(piece.buffer);
});
