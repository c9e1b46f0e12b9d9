import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket, type ClientOptions } from 'ws';
import { digestOf, type DigestAlgorithm } from '../../src/model/digest.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { decodeReceiverMessage, encode } from '../../src/protocol/codec.ts';
import { MAX_CHUNK_BYTES, REPLICATE_PATH, SUBPROTOCOL } from '../../src/protocol/limits.ts';
import type { Hello, InlineFile, ReceiverMessage, SenderMessage } from '../../src/protocol/messages.ts';

export type MessageOf<T extends ReceiverMessage['type']> = Extract<ReceiverMessage, { type: T }>;

export interface ConnectOptions extends ClientOptions {
  readonly token?: string;
  readonly protocols?: string[];
  readonly path?: string;
}

/** What a refused upgrade was answered with. */
export class UpgradeRefused extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    super(`refused with ${status}`);
    this.status = status;
    this.body = body;
  }
}

/** A sender by hand: says what a test wants, and waits for answers. */
export class WireClient {
  readonly ws: WebSocket;
  readonly algorithm: DigestAlgorithm;
  /** Everything received and not yet taken by `next`, without KEEPALIVE. */
  readonly inbox: ReceiverMessage[] = [];
  keepalives = 0;
  readonly closed: Promise<{ code: number; reason: string }>;
  #wake: () => void = () => undefined;

  constructor(ws: WebSocket, algorithm: DigestAlgorithm = 'xxh64') {
    this.ws = ws;
    this.algorithm = algorithm;
    ws.on('message', (bytes: Buffer) => {
      const message = decodeReceiverMessage(bytes, algorithm);
      if (message.type === 'keepalive') this.keepalives++;
      else this.inbox.push(message);
      this.#wake();
    });
    ws.on('error', () => this.#wake());
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
  }

  say(message: SenderMessage): void {
    this.ws.send(encode(message));
  }

  hello(device: string, more: Partial<Hello> = {}): void {
    this.say({
      type: 'hello',
      version: 1,
      device,
      mode: 'write',
      digest: this.algorithm,
      software: 'test',
      ...more,
    });
  }

  /** The next message, which must be of this type. */
  async next<T extends ReceiverMessage['type']>(type: T): Promise<MessageOf<T>> {
    while (this.inbox.length === 0) {
      if (this.ws.readyState === WebSocket.CLOSED)
        throw new Error(`closed while ${type} was waited for: ${JSON.stringify(await this.closed)}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    const message = this.inbox.shift()!;
    if (message.type !== type) throw new Error(`${JSON.stringify(message)} where ${type} was waited for`);
    return message as MessageOf<T>;
  }

  /** The ids of the next ACKs, until there are `count` of them. */
  async acknowledged(count: number): Promise<number[]> {
    const ids: number[] = [];
    while (ids.length < count)
      for (const { first, last } of (await this.next('ack')).ranges)
        for (let id = first; id <= last; id++) ids.push(id);
    return ids.toSorted((a, b) => a - b);
  }

  /** OPEN, CHUNKs from `offset` on, END. */
  upload(id: number, path: string, content: Buffer, offset = 0, chunkBytes = MAX_CHUNK_BYTES): void {
    this.open(id, path, content.length);
    this.chunks(id, content, offset, chunkBytes);
    this.say({ type: 'end', id, digest: digestOf(this.algorithm, content) });
  }

  open(id: number, path: string, size: number, resume = false): void {
    this.say({ type: 'open', id, resume, entry: { path: parseRelPath(path), size, mtimeUs: 1_000_000 } });
  }

  chunks(id: number, content: Buffer, offset = 0, chunkBytes = MAX_CHUNK_BYTES): void {
    for (let at = offset; at < content.length; at += chunkBytes)
      this.say({ type: 'chunk', id, offset: at, content: content.subarray(at, at + chunkBytes) });
  }

  async close(): Promise<void> {
    this.ws.close(1000);
    await this.closed;
  }
}

/** Rejects with {@link UpgradeRefused}, or the error of the socket. */
export async function connect(url: string, options: ConnectOptions = {}): Promise<WireClient> {
  const { token, protocols = [SUBPROTOCOL], path = REPLICATE_PATH, ...rest } = options;
  const ws = new WebSocket(url + path, protocols, {
    perMessageDeflate: false,
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
    ...rest,
  });
  const client = new WireClient(ws);
  const refused = new Promise<never>((_resolve, reject) => {
    ws.on('error', reject);
    ws.on('unexpected-response', (_request, response: IncomingMessage) => {
      void readBody(response).then((body) => {
        reject(new UpgradeRefused(response.statusCode!, JSON.parse(body)));
        ws.terminate();
      });
    });
  });
  refused.catch(() => undefined);
  await Promise.race([once(ws, 'open'), refused]);
  return client;
}

/** Connected, and welcome as `device`. */
export async function greet(
  url: string,
  device: string,
  options: ConnectOptions & { hello?: Partial<Hello> } = {},
): Promise<WireClient> {
  const { hello, ...rest } = options;
  const client = await connect(url, rest);
  client.hello(device, hello);
  await client.next('welcome');
  return client;
}

export function inlineFile(path: string, content: string | Buffer, mtimeUs = 1_000_000): InlineFile {
  const bytes = Buffer.from(content);
  const entry = { path: parseRelPath(path), size: bytes.length, mtimeUs };
  return { entry, digest: digestOf('xxh64', bytes), content: bytes };
}

async function readBody(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let body = '';
  for await (const part of response) body += part;
  return body;
}
