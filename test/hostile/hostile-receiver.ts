import * as fc from 'fast-check';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { decodeSenderMessage, encode } from '../../src/protocol/codec.ts';
import type { ReceiverMessage, SenderMessage } from '../../src/protocol/messages.ts';
import { unpack } from '../../src/protocol/packing.ts';
import { receiverMessages } from '../protocol/arbitraries.ts';
import { mutate } from './mutate.ts';
import type { Random } from '../../harness/random.ts';

/** Part of the connections that are refused in some way before they are sessions. */
const REFUSED = 0.1;
/** Part of the messages that are likely to break a rule. */
const BROKEN = 0.03;
const STATUSES = [100, 101, 200, 301, 401, 403, 404, 426, 429, 500, 503, 999];
const CLOSE_CODES = [1000, 1001, 1008, 1011, 3000, 4400, 4408, 4409, 4426, 4500, 4999];
/** Text that a terminal or a log must not take at its word. */
const TEXTS = ['no', '\u001b]0;owned\u0007', '\n{"level":"error"}', '\u0000', 'x'.repeat(1000), '‮'];
const CODES = [
  'STORE_FULL',
  'STORE_FAILED',
  'DIGEST_MISMATCH',
  'BAD_PATH',
  'INTERNAL',
  'FENCED',
  'NO_SUCH',
  '__proto__',
];

/** A receiver that mostly does what PROTOCOL.md says, and breaks off in every way that its random source knows. */
export class HostileReceiver implements AsyncDisposable {
  messages = 0;
  sessions = 0;
  /** What a sender must never do. */
  readonly faults: string[] = [];
  readonly #random: Random;
  readonly #server = createServer((_request, response) => response.end());
  readonly #upgrader = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  readonly #sockets = new Set<Duplex>();
  readonly #corpus: readonly Buffer[];

  constructor(random: Random, seed: number) {
    this.#random = random;
    this.#corpus = fc.sample(receiverMessages('xxh64'), { seed, numRuns: 2000 }).map(encode);
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => undefined);
      if (this.#random.chance(REFUSED)) this.#refuse(socket);
      else this.#upgrader.handleUpgrade(request, socket, head, (ws) => this.#serve(ws, socket));
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #refuse(socket: Duplex): void {
    const random = this.#random;
    const status = random.pick(STATUSES);
    const body = random.pick([
      '',
      '{}',
      '{"code":"AUTH',
      '{"code":1,"message":[]}',
      'x'.repeat(100_000),
      ...TEXTS,
    ]);
    const lines = [
      `HTTP/1.1 ${status} ${random.pick(['No', '', 'Switching Protocols'])}`,
      `Content-Length: ${random.pick([0, 1, Buffer.byteLength(body), 2 ** 40])}`,
      ...(random.chance(0.5) ? ['Connection: close'] : ['Upgrade: websocket', 'Connection: Upgrade']),
      ...(status === 301 ? ['Location: ws://127.0.0.1:1/'] : []),
    ];
    if (random.chance(0.2)) socket.end(random.bytes(200));
    else socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
  }

  #serve(ws: WebSocket, socket: Duplex): void {
    this.sessions++;
    ws.on('error', () => undefined);
    ws.on('message', (bytes) => {
      let message: SenderMessage;
      try {
        message = decodeSenderMessage(bytes as Buffer, 'xxh64');
        if (message.type === 'packed') message = unpack(message, 'xxh64');
      } catch {
        this.faults.push(`said what can't be decoded: ${(bytes as Buffer).toString('hex', 0, 64)}`);
        return;
      }
      if (this.#random.chance(BROKEN)) this.#breakSomething(ws, socket);
      for (const answer of this.#answersTo(message)) this.#send(ws, encode(answer));
    });
  }

  *#answersTo(message: SenderMessage): Generator<ReceiverMessage> {
    const random = this.#random;
    const failure = () => ({
      retryable: random.chance(0.8),
      code: random.pick(CODES),
      message: random.pick(TEXTS),
    });
    switch (message.type) {
      case 'hello':
        yield {
          type: 'welcome',
          version: random.chance(0.98) ? 1 : random.below(4),
          session: random.pick(TEXTS),
          device: random.chance(0.98) ? message.device : 'other',
          software: random.pick(TEXTS),
          limits: {
            filesInFlight: random.pick([1, 2, 100, 4096, Number.MAX_SAFE_INTEGER]),
            openUploads: random.pick([1, 4, 2 ** 40]),
            requests: random.pick([1, 4, 2 ** 40]),
          },
          compression: random.pick([[], ['zstd'], ['br', 'zstd']]),
          reads: random.chance(0.3) ? undefined : random.chance(0.5),
          reports: random.chance(0.3) ? undefined : random.chance(0.5),
          store: random.chance(0.5)
            ? {
                id: random.pick(TEXTS),
                process: random.pick(TEXTS),
                listedMtime: random.chance(0.5),
                checksLooks: random.chance(0.5),
              }
            : undefined,
        };
        return;
      case 'files':
        for (let id = message.firstId; id < message.firstId + message.files.length; id++)
          if (random.chance(0.7)) yield { type: 'ack', ranges: [{ first: id, last: id }] };
          else yield { type: 'refused', id, ...failure() };
        return;
      case 'open':
        if (random.chance(0.1)) yield { type: 'refused', id: message.id, ...failure() };
        else if (message.resume)
          yield {
            type: 'offset',
            id: message.id,
            offset: random.chance(0.8) ? 0 : random.below(message.entry.size),
          };
        return;
      case 'end':
        yield { type: 'ack', ranges: [{ first: message.id, last: message.id }] };
        return;
      case 'look': {
        const digest = message.digest ? random.bytes(8) : undefined;
        const file = { size: random.below(1000), mtimeUs: random.below(1000), digest };
        const files = message.paths.map(() => (random.chance(0.5) ? file : undefined));
        yield { type: 'looked', request: message.request, files };
        return;
      }
      case 'list':
        for (let pages = random.below(10); pages >= 0; pages--)
          yield { type: 'listed', request: message.request, last: pages === 0, files: [] };
        return;
      case 'seal':
        if (random.chance(0.5)) yield { type: 'sealed', request: message.request };
        else yield { type: 'failed', request: message.request, ...failure() };
        return;
      case 'read':
        // No sender asks for any, whatever it is offered.
        this.faults.push('it has been asked for content');
        return;
      case 'report':
      case 'packed':
      case 'chunk':
      case 'cancel':
      case 'keepalive':
        return;
    }
  }

  #breakSomething(ws: WebSocket, socket: Duplex): void {
    const random = this.#random;
    const kind = random.below(20);
    if (kind < 9) this.#send(ws, mutate(random.pick(this.#corpus), random, random.pick(this.#corpus)));
    else if (kind < 12) this.#send(ws, random.pick(this.#corpus));
    else if (kind < 13) this.#send(ws, random.bytes(random.below(500)));
    else if (kind < 14) this.#send(ws, encode({ type: 'ack', ranges: [{ first: 0, last: 0xffff_ffff }] }));
    else if (kind < 15) ws.send('a text message');
    else if (kind < 16) socket.write(random.bytes(100));
    else if (kind < 17) ws.terminate();
    else if (kind < 18) for (let n = 0; n < 30; n++) ws.ping(random.bytes(125));
    else ws.close(random.pick(CLOSE_CODES), random.pick(TEXTS).slice(0, 40));
  }

  #send(ws: WebSocket, bytes: Buffer): void {
    this.messages++;
    ws.send(bytes, () => undefined);
  }
}
