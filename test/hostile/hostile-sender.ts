import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { digestOf } from '../../src/model/digest.ts';
import { isOwnPath } from '../../src/model/own-folder.ts';
import { parseRelPath, type RelPath } from '../../src/model/rel-path.ts';
import { CLOSE } from '../../src/protocol/close-codes.ts';
import { decodeReceiverMessage, encode } from '../../src/protocol/codec.ts';
import {
  MAX_CHUNK_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_READ_BYTES,
  REPLICATE_PATH,
  SUBPROTOCOL,
} from '../../src/protocol/limits.ts';
import type { ReceiverMessage, SenderMessage } from '../../src/protocol/messages.ts';
import { formatReport } from '../../src/protocol/report.ts';
import { pack } from '../../src/protocol/packing.ts';
import type { Corpus } from './corpus.ts';
import { mutate } from './mutate.ts';
import type { Random } from '../../harness/random.ts';

/** Close codes a receiver may answer nonsense with; 1006 is a socket that was cut. */
const FAIR_CODES: ReadonlySet<number> = new Set([
  1000,
  1001,
  1002,
  1005,
  1006,
  1007,
  1008,
  1009,
  CLOSE.PROTOCOL,
  CLOSE.DEVICE_REFUSED,
  CLOSE.DEADLINE,
  CLOSE.FENCED,
  CLOSE.VERSION,
]);
/** Files named by one session at most: below what may be in flight, so that only what is meant breaks a rule. */
const MAX_FILES = 3000;
/** Bytes in our own socket above which we wait. */
const HIGH_WATER_BYTES = 256 * 1024;
/** Part of the messages that are likely to break a rule, each of which may cost a connection. */
const BROKEN = 0.02;
/** Part of the sessions that read, where there is a token for that. */
const READING = 0.2;
/** Part of the FILES and CHUNKs that are packed. */
const PACKED = 0.3;

export interface HostileSenderOptions {
  readonly url: string;
  readonly token: string | undefined;
  /** One of the device that reads. */
  readonly readToken?: string | undefined;
  readonly device: string;
  readonly corpus: Corpus;
  readonly random: Random;
}

export interface Tally {
  messages: number;
  sessions: number;
  readonly closes: Map<number, number>;
  /** What a receiver must never do. */
  readonly faults: string[];
}

/** One session after the other of a device that says whatever comes to its mind. */
export class HostileSender {
  readonly tally: Tally = { messages: 0, sessions: 0, closes: new Map(), faults: [] };
  readonly #options: HostileSenderOptions;
  readonly #random: Random;
  #stopped = false;

  constructor(options: HostileSenderOptions) {
    this.#options = options;
    this.#random = options.random;
  }

  /** Until it has sent `messages`, or is stopped. */
  async run(messages: number): Promise<void> {
    while (this.tally.messages < messages && !this.#stopped) {
      const session = new HostileSession(this.#options, this.#random.fork(), this.tally);
      await session.run(20 + this.#random.below(400));
      this.tally.sessions++;
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}

class HostileSession {
  readonly #options: HostileSenderOptions;
  readonly #random: Random;
  readonly #tally: Tally;
  readonly #ws: WebSocket;
  readonly #closed = Promise.withResolvers<void>();
  #raw: Socket | undefined;
  #welcome = false;
  #nextId = 1;
  #nextRequest = 1;
  readonly #requests = new Set<number>();
  /** Files in our own folder, which nobody may keep. */
  readonly #ownIds = new Set<number>();
  /** `sent` is undefined until OFFSET has come. */
  readonly #uploads = new Map<number, { readonly size: number; sent: number | undefined }>();
  #mayWrite = true;
  readonly #mayRead: boolean;
  #wake: () => void = () => undefined;

  constructor(options: HostileSenderOptions, random: Random, tally: Tally) {
    this.#options = options;
    this.#random = random;
    this.#tally = tally;
    const { url, token, readToken } = options;
    this.#mayRead = readToken !== undefined && random.chance(READING);
    this.#ws = new WebSocket(url + REPLICATE_PATH, SUBPROTOCOL, {
      perMessageDeflate: false,
      generateMask: () => undefined,
      ...(token !== undefined && {
        headers: { authorization: `Bearer ${this.#mayRead ? readToken : token}` },
      }),
    });
    this.#ws.on('upgrade', (response) => {
      this.#raw = response.socket;
    });
    this.#ws.on('error', () => undefined);
    this.#ws.on('message', (bytes) => this.#hear(bytes as Buffer));
    this.#ws.on('close', (code) => {
      tally.closes.set(code, (tally.closes.get(code) ?? 0) + 1);
      if (!FAIR_CODES.has(code)) tally.faults.push(`closed with ${code}`);
      this.#closed.resolve();
      this.#wake();
    });
  }

  async run(most: number): Promise<void> {
    await Promise.race([new Promise((resolve) => this.#ws.once('open', resolve)), this.#closed.promise]);
    this.#hello();
    await this.#until(() => this.#welcome || this.#isOver);
    for (let n = 0; n < most && !this.#isOver; n++) {
      if (this.#random.chance(BROKEN)) await this.#breakSomething();
      else this.#saySomething();
      await this.#room();
    }
    if (this.#random.chance(0.5)) this.#ws.terminate();
    else this.#ws.close(1000);
    await this.#closed.promise;
  }

  get #isOver(): boolean {
    return this.#ws.readyState !== WebSocket.OPEN;
  }

  #hello(): void {
    const random = this.#random;
    this.#mayWrite = !this.#mayRead && random.chance(0.8);
    const hello: SenderMessage = {
      type: 'hello',
      version: random.chance(0.98) ? 1 : random.pick([0, -1, 2, 2 ** 53 - 1]),
      device: random.chance(0.98)
        ? this.#options.device
        : random.pick(['..', 'witness', '.isync', 'a/b', '']),
      mode: this.#mayWrite ? 'write' : 'read',
      digest: 'xxh64',
      software: random.pick(['x', '\u001b[2J', '\u0000', 'y'.repeat(3000)]),
    };
    this.#say(hello);
  }

  #hear(bytes: Buffer): void {
    let message: ReceiverMessage;
    try {
      message = decodeReceiverMessage(bytes, 'xxh64');
    } catch {
      this.#tally.faults.push(`said what can't be decoded: ${bytes.toString('hex', 0, 64)}`);
      return;
    }
    if (message.type === 'welcome') this.#welcome = true;
    const upload = message.type === 'offset' ? this.#uploads.get(message.id) : undefined;
    if (message.type === 'offset' && upload !== undefined) upload.sent = message.offset;
    if (message.type === 'ack')
      for (const id of this.#ownIds)
        if (message.ranges.some(({ first, last }) => first <= id && id <= last))
          this.#tally.faults.push('a file in .isync was kept');
    if (
      ['looked', 'sealed', 'failed', 'content', 'retirement'].includes(message.type) &&
      'request' in message
    )
      this.#requests.delete(message.request);
    if (message.type === 'listed' && message.last) this.#requests.delete(message.request);
    if ((message.type === 'refused' || message.type === 'failed') && message.code === 'INTERNAL')
      this.#tally.faults.push(`refused with INTERNAL: ${message.message}`);
    this.#wake();
  }

  #saySomething(): void {
    const random = this.#random;
    const kind = random.below(100);
    if (kind < 4) this.#say({ type: 'keepalive' });
    else if (kind < 8 && this.#mayWrite) this.#report();
    else if (this.#nextId > MAX_FILES || !this.#mayWrite) this.#request();
    else if (kind < 50) this.#files();
    else if (kind < 60) this.#open();
    else if (kind < 80) this.#goOn();
    else this.#request();
  }

  #report(): void {
    const random = this.#random;
    const count = (): number => random.pick([0, 1, 2 ** 40, Number.MAX_SAFE_INTEGER]);
    const text = (): string =>
      random.pick(['', 'DC1', '<script>', '\u001b[2J', '"}\n{', '\ud800', 'y'.repeat(300)]);
    const problem = () => ({
      code: random.pick(['NOT_REGULAR', 'NEWER_CODE']),
      subject: text(),
      text: text(),
    });
    const report = {
      files: count(),
      bytes: count(),
      oldestSeconds: random.chance(0.3) ? undefined : random.pick([0, Number.MAX_SAFE_INTEGER]),
      directory: random.chance(0.5) ? undefined : text(),
      sealed: count(),
      unsealed: count(),
      problems: Array.from({ length: random.below(11) }, problem),
      problemCount: count(),
    };
    this.#say({ type: 'report', json: formatReport(report) });
  }

  #files(): void {
    const random = this.#random;
    const files = Array.from({ length: 1 + random.below(3) }, () => {
      const content = random.bytes(random.pick([0, 1, 20, 200]));
      const digest = digestOf('xxh64', content);
      // Most are refused: what is kept costs the disk more than the fuzzer.
      if (random.chance(0.85)) digest[random.below(8)] = random.below(256);
      const entry = {
        path: this.#path(),
        size: content.length,
        mtimeUs: random.pick([0, -1, 1e15, -1e15, 5]),
      };
      return { entry, digest, content };
    });
    for (const [index, { entry }] of files.entries()) this.#noteOwn(this.#nextId + index, entry.path);
    this.#say({ type: 'files', firstId: this.#nextId, files });
    this.#nextId += files.length;
  }

  #open(): void {
    const random = this.#random;
    if (this.#uploads.size >= 16) return this.#goOn();
    const size = random.pick([0, 1, 100, 1000, 2 ** 32, Number.MAX_SAFE_INTEGER]);
    const id = this.#nextId++;
    const resume = random.chance(0.3);
    this.#uploads.set(id, { size, sent: resume ? undefined : 0 });
    const path = this.#path();
    this.#noteOwn(id, path);
    this.#say({ type: 'open', id, resume, entry: { path, size, mtimeUs: random.below(50) } });
  }

  #noteOwn(id: number, path: RelPath): void {
    if (isOwnPath(path)) this.#ownIds.add(id);
  }

  #goOn(): void {
    const random = this.#random;
    if (this.#uploads.size === 0) return this.#request();
    const [id, upload] = random.pick([...this.#uploads]);
    const { size, sent } = upload;
    if (sent !== undefined && sent < size && random.chance(0.6)) {
      const length = Math.min(size - sent, random.chance(0.9) ? 1 + random.below(100) : MAX_CHUNK_BYTES);
      const content = length > 100 ? Buffer.alloc(length, 'zeros and the like ') : random.bytes(length);
      this.#say({ type: 'chunk', id, offset: sent, content });
      upload.sent = sent + content.length;
      return;
    }
    this.#uploads.delete(id);
    if (sent === size) this.#say({ type: 'end', id, digest: random.bytes(8) });
    else this.#say({ type: 'cancel', id, keep: random.chance(0.3) });
  }

  #request(): void {
    const random = this.#random;
    if (this.#requests.size >= 30) return this.#say({ type: 'keepalive' });
    const request = this.#nextRequest++;
    this.#requests.add(request);
    const kind = random.below(20);
    if (this.#mayRead && kind > 9) this.#read(request);
    else if (kind === 0) this.#say({ type: 'list', request, prefix: random.chance(0.1) ? '' : this.#path() });
    else if (kind === 1 && this.#mayWrite)
      this.#say({ type: 'seal', request, directory: parseRelPath(this.#path().split('/')[0]!) });
    else if (kind === 2)
      this.#say({ type: 'retired', request, directory: parseRelPath(this.#path().split('/')[0]!) });
    else {
      const paths = Array.from({ length: random.below(8) }, () => this.#path());
      this.#say({ type: 'look', request, digest: random.chance(0.5), paths });
    }
  }

  #read(request: number): void {
    const random = this.#random;
    const ranges = Array.from({ length: random.below(8) }, () => ({
      path: this.#path(),
      start: random.pick([0, 1, 1000, 2 ** 40, Number.MAX_SAFE_INTEGER]),
      length: random.pick([0, 1, 200, MAX_READ_BYTES / 8]),
    }));
    this.#say({ type: 'read', request, ranges });
  }

  #path(): RelPath {
    return this.#random.pick(this.#options.corpus.paths);
  }

  /** Sends what most likely breaks a rule, and waits for what comes of it. */
  async #breakSomething(): Promise<void> {
    const random = this.#random;
    const { messages } = this.#options.corpus;
    const kind = random.below(20);
    if (kind < 12) this.#send(mutate(random.pick(messages), random, random.pick(messages)));
    else if (kind < 15) this.#send(random.pick(messages));
    else if (kind < 16) this.#send(random.bytes(random.below(2000)));
    else if (kind < 17) this.#send('a text message');
    else if (kind < 18 && random.chance(0.5)) this.#send(this.#bomb());
    else if (kind < 18) return this.#garbage(random.bytes(1 + random.below(100)));
    else if (kind < 19) for (let n = 0; n < 50; n++) this.#ws.ping(random.bytes(125));
    else this.#send(Buffer.alloc(MAX_MESSAGE_BYTES + random.below(2)));
    const request = this.#nextRequest++;
    this.#requests.add(request);
    this.#say({ type: 'look', request, digest: false, paths: [] });
    await this.#until(() => this.#isOver || !this.#requests.has(request));
  }

  /** PACKED with a frame of many times what it claims, or of what nobody may send. */
  #bomb(): Buffer {
    const random = this.#random;
    const length = random.pick([1, 100, 65_536, MAX_MESSAGE_BYTES]);
    const frame = zstdCompressSync(
      Buffer.alloc(random.pick([length - 1, length, length + 1, 16 * MAX_MESSAGE_BYTES])),
    );
    return encode({ type: 'packed', length, frame });
  }

  /** Bytes that are no WebSocket frame, and nothing after them. */
  async #garbage(bytes: Buffer): Promise<void> {
    this.#tally.messages++;
    this.#raw?.end(bytes);
    await this.#closed.promise;
  }

  #say(message: SenderMessage): void {
    const bytes = encode(message);
    const mayPack = message.type === 'files' || message.type === 'chunk';
    this.#send(mayPack && this.#random.chance(PACKED) ? pack(bytes) : bytes);
  }

  #send(bytes: Buffer | string): void {
    if (this.#isOver) return;
    this.#tally.messages++;
    this.#ws.send(bytes);
  }

  async #room(): Promise<void> {
    if (this.#ws.bufferedAmount < HIGH_WATER_BYTES && this.#requests.size < 30) return;
    while (!this.#isOver && this.#ws.bufferedAmount >= HIGH_WATER_BYTES) await nextTurn();
    if (this.#requests.size >= 30) await this.#until(() => this.#isOver || this.#requests.size < 15);
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}
