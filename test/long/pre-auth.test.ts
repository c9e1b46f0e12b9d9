import { mkdir } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MAX_SESSIONS_OF_DEVICE } from '../../src/receiver/receiver-limits.ts';
import { connect, greet, inlineFile, UpgradeRefused, type WireClient } from '../receiver/wire-client.ts';
import { addToken, startReceiver, type Receiver } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { faultLines } from '../hostile/process-health.ts';

/** More than the receiver ever lets wait, of one address or of all. */
const FLOOD = 1500;
const UPGRADE = 'GET /v1/replicate HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let receiver: Receiver;
const tokens = new Map<string, string>();

beforeAll(async () => {
  folder = await temporaryFolder('hostile');
  const [store, file] = [join(folder.path, 'store'), join(folder.path, 'tokens.json')];
  await mkdir(store);
  for (const device of ['edge1', 'mallory']) tokens.set(device, await addToken(device, file));
  receiver = await startReceiver(store, { args: ['--tokens', file] });
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Sockets that say what `first` says, and then each says `next` again and again; all are cut at the end. */
class Strangers implements Disposable {
  readonly #sockets = new Set<Socket>();
  readonly #first: (socket: Socket) => void;
  readonly #timer: NodeJS.Timeout | undefined;
  cut = 0;

  constructor(first: (socket: Socket) => void, next?: (socket: Socket) => void) {
    this.#first = first;
    if (next !== undefined)
      this.#timer = setInterval(() => {
        for (const socket of this.#sockets) if (!socket.connecting) next(socket);
      }, 20);
  }

  async come(count: number): Promise<void> {
    const coming = Array.from({ length: count }, async () => {
      const socket = connectTcp(receiver.port, '127.0.0.1');
      this.#sockets.add(socket);
      socket.resume();
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.cut++;
        this.#sockets.delete(socket);
      });
      await new Promise<void>((resolve) => {
        socket.once('connect', resolve);
        socket.once('close', () => resolve());
      });
      this.#first(socket);
    });
    await Promise.all(coming);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** The whole way of an honest device: in, a file kept, out. */
async function transfer(): Promise<void> {
  const client = await greet(receiver.url, 'edge1', { token: tokens.get('edge1')! });
  client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'x')] });
  expect(await client.acknowledged(1)).toEqual([1]);
  await client.close();
}

describe('a known device gets in and sends while', () => {
  it.each<[string, (socket: Socket) => void, ((socket: Socket) => void)?]>([
    ['idle sockets that are never admitted', () => undefined],
    ['request heads come byte by byte', (socket) => socket.write(UPGRADE), (socket) => socket.write('X')],
    [
      'headers have no end',
      (socket) => socket.write(`${UPGRADE}X: ${'x'.repeat(7000)}`),
      (socket) => socket.write('x'),
    ],
    [
      'TLS is spoken to a plain port',
      (socket) => socket.write('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
    ],
    [
      'requests have bodies without end',
      (socket) => socket.write('POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n'),
    ],
    [
      'tokens are guessed',
      (socket) =>
        socket.write(
          `${UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: isync.v1\r\nAuthorization: Bearer isync_x\r\n\r\n`,
        ),
    ],
  ])('%s', async (_what, first, next) => {
    using strangers = new Strangers(first, next);
    await strangers.come(FLOOD / 3);
    await transfer();
    const more = strangers.come(FLOOD - FLOOD / 3);
    // As a sender does: it tries again.
    await vi.waitFor(transfer, { timeout: 20_000 });
    await more;
    await transfer();
    expect(strangers.cut).toBeGreaterThan(FLOOD / 2);
  });

  it('another device takes all the sessions it can have', async () => {
    const token = tokens.get('mallory')!;
    const taken: WireClient[] = [];
    for (let n = 0; n < MAX_SESSIONS_OF_DEVICE; n++) taken.push(await connect(receiver.url, { token }));
    await expect(connect(receiver.url, { token })).rejects.toMatchObject({
      status: 503,
      body: { code: 'BUSY' },
    });
    await expect(connect(receiver.url, { token })).rejects.toThrow(UpgradeRefused);
    await transfer();
    for (const { ws } of taken) ws.terminate();
  });
});

it('has told of no fault of its own', () => {
  expect(faultLines(receiver.process.stderr)).toEqual([]);
});
