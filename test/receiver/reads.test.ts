import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import { openTokenFile } from '../../src/access/token-file.ts';
import type { TokenAccess } from '../../src/access/token-entries.ts';
import { addToken } from '../../src/access/tokens.ts';
import { digestOf } from '../../src/model/digest.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { encode } from '../../src/protocol/codec.ts';
import { MAX_READ_BYTES } from '../../src/protocol/limits.ts';
import type { Failure, FilePart, SenderMessage } from '../../src/protocol/messages.ts';
import { type DeviceWatch, UNWATCHED } from '../../src/receiver/devices/device-watch.ts';
import type { ReceiverOptions } from '../../src/receiver/receiver.ts';
import { MAX_SESSIONS_OF_DEVICE } from '../../src/receiver/receiver-limits.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import type { Store } from '../../src/store/store.ts';
import { RecordingLog } from '../recording-log.ts';
import { gatedStore, receiverFor, temporaryFolder } from './fixtures.ts';
import { connect, greet, inlineFile, type WireClient } from './wire-client.ts';

type Range = readonly [path: string, start: number, length: number];

/** A receiver with tokens, and sessions of devices at it. */
async function stage(store: Store = gatedStore().store, options: Partial<ReceiverOptions> = {}) {
  const path = `${await temporaryFolder()}/tokens.json`;
  const token = async (device: string, access?: TokenAccess) => await addToken(path, device, access);
  const first = await token('edge1');
  const tokens = openTokenFile(path, new RecordingLog());
  const { url, receiver } = await receiverFor(store, { tokens, ...options });
  onTestFinished(() => tokens[Symbol.dispose]());
  const writer = async (device = 'edge1') =>
    await greet(url, device, { token: device === 'edge1' ? first : await token(device) });
  const reader = async (device = 'edge1') =>
    await greet(url, device, { token: await token(device, 'read'), hello: { mode: 'read' } });
  return { url, receiver, first, token, writer, reader };
}

async function put(client: WireClient, files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  const all = Object.entries(files).map(([path, content]) => inlineFile(path, content));
  client.say({ type: 'files', firstId: 1, files: all });
  await client.acknowledged(all.length);
}

function ask(client: WireClient, request: number, ...ranges: Range[]): void {
  client.say({
    type: 'read',
    request,
    ranges: ranges.map(([path, start, length]) => ({ path: parseRelPath(path), start, length })),
  });
}

async function read(client: WireClient, ...ranges: Range[]) {
  ask(client, 1, ...ranges);
  return (await client.next('content')).parts;
}

/** What a part has of a file of one version, as it must be. */
function partOf(size: number, content: Buffer): unknown {
  return expect.objectContaining({ size, content, digest: digestOf('xxh64', content), mtimeUs: 1_000_000 });
}

async function closed(client: WireClient): Promise<{ code: number; reason: string }> {
  return await client.closed;
}

describe('READ', () => {
  it('gives the bytes of many files in one answer, in the order asked', async () => {
    const { writer, reader } = await stage();
    await put(await writer(), { 'DC1/a': 'aaaa', 'DC1/sub/b': 'bb', 'DC1/none': '' });
    const client = await reader();
    const parts = await read(
      client,
      ['DC1/sub/b', 0, 100],
      ['DC1/missing', 0, 100],
      ['DC1/a', 0, 4],
      ['DC1/a', 1, 2],
      ['DC1/a', 4, 2],
      ['DC1/a', 9, 2],
      ['DC1/a', 0, 0],
      ['DC1/none', 0, 10],
      ['DC1', 0, 10],
    );
    const [a, none] = [Buffer.from('aaaa'), Buffer.alloc(0)];
    expect(parts).toEqual([
      partOf(2, Buffer.from('bb')),
      undefined,
      partOf(4, a),
      partOf(4, a.subarray(1, 3)),
      partOf(4, none),
      partOf(4, none),
      partOf(4, none),
      partOf(0, none),
      undefined,
    ]);
  });

  it('gives ranges of a large file that are of one version, and tells when they are not', async () => {
    const folder = await temporaryFolder();
    await using store = await openFileStore(folder);
    const { writer, reader } = await stage(store);
    const sender = await writer();
    const content = randomBytes(2_500_000);
    sender.upload(1, 'DC1/large', content);
    await sender.acknowledged(1);
    const client = await reader();
    const rangesOf = (): Range[] => [
      ['DC1/large', 0, 1_000_000],
      ['DC1/large', 2_000_000, 40_000],
    ];
    const [first, last] = (await read(client, ...rangesOf())) as FilePart[];
    expect([first!.size, first!.content.equals(content.subarray(0, 1_000_000))]).toEqual([2_500_000, true]);
    expect(last!.content.equals(content.subarray(2_000_000, 2_040_000))).toBe(true);
    expect(last!.version).toBe(first!.version);
    expect(first!.version).not.toBe('');
    sender.upload(2, 'DC1/large', randomBytes(2_500_000));
    await sender.acknowledged(1);
    const [later] = (await read(client, ...rangesOf())) as FilePart[];
    expect(later!.version).not.toBe(first!.version);
  });

  it('tells of a file that can not be read, and gives the others', async () => {
    const { store } = gatedStore();
    const { writer, reader } = await stage(store);
    await put(await writer(), { 'DC1/a': 'a', 'DC1/b': 'b', 'DC1/c': 'c', 'DC1/d': 'd' });
    const before = store.read.bind(store);
    vi.spyOn(store, 'read').mockImplementation(async (path, options) => {
      if (path.endsWith('b')) throw new IsyncError('STORE_FULL', 'told by the test', { retryable: true });
      const denied = Object.assign(new Error('EACCES: denied'), { code: 'EACCES', syscall: 'open' });
      if (path.endsWith('c')) throw new IsyncError('STORE_FAILED', 'not permitted', { cause: denied });
      const found = await before(path, options);
      // Shorter than it says.
      return path.endsWith('d') && found !== undefined ? { ...found, bytes: Readable.from([]) } : found;
    });
    const parts = await read(
      await reader(),
      ['DC1/a', 0, 9],
      ['DC1/b', 0, 9],
      ['DC1/c', 0, 9],
      ['DC1/d', 0, 9],
    );
    expect(parts[0]).toEqual(partOf(1, Buffer.from('a')));
    expect(parts.slice(1).map((part) => (part as Failure).code)).toEqual([
      'STORE_FULL',
      'FILE_UNREADABLE',
      'FILE_CHANGED',
    ]);
  });

  it('holds a bounded part of what is asked for, however much that is', async () => {
    const { store } = gatedStore();
    const gate = Promise.withResolvers<void>();
    let running = 0;
    let most = 0;
    vi.spyOn(store, 'read').mockImplementation(async (path) => {
      most = Math.max(most, ++running);
      await gate.promise;
      running--;
      return { entry: { path, size: 0, mtimeUs: 0 }, bytes: Readable.from([]) };
    });
    const { reader } = await stage(store);
    const client = await reader();
    for (let request = 1; request <= 32; request++)
      ask(client, request, ['DC1/a', 0, MAX_READ_BYTES / 2], ['DC1/b', 0, MAX_READ_BYTES / 2]);
    client.say({ type: 'look', request: 99, digest: false, paths: [parseRelPath('DC1/a')] });
    // 33 open requests break the rule; so all before have been taken.
    expect(await closed(client)).toMatchObject({ code: 4400, reason: 'too many open requests' });
    expect(most).toBeLessThanOrEqual(4);
    gate.resolve();
  });

  it('hands one answer after the other to the system, so that each that leaves is a sign of who reads', async () => {
    const { writer, reader } = await stage();
    const sender = await writer();
    const content = randomBytes(MAX_READ_BYTES);
    sender.upload(1, 'DC1/large', content);
    await sender.acknowledged(1);
    const client = await reader();
    let most = 0;
    let leaving = 0;
    // eslint-disable-next-line typescript/unbound-method -- Called with the socket that it is called on.
    const { send } = WebSocket.prototype;
    vi.spyOn(WebSocket.prototype, 'send').mockImplementation(function (this: WebSocket, ...args: unknown[]) {
      const [bytes, told] = args as [Buffer, ((error?: Error) => void) | undefined];
      if (bytes.length < MAX_READ_BYTES || told === undefined) return Reflect.apply(send, this, args);
      most = Math.max(most, ++leaving);
      Reflect.apply(send, this, [
        bytes,
        (error?: Error) => {
          leaving--;
          told(error);
        },
      ]);
    });
    client.ws.pause();
    for (let request = 1; request <= 16; request++) ask(client, request, ['DC1/large', 0, MAX_READ_BYTES]);
    await vi.waitFor(() => expect(leaving).toBeGreaterThan(0), 60_000);
    client.ws.resume();
    for (let request = 1; request <= 16; request++)
      expect((await client.next('content')).parts).toEqual([partOf(content.length, content)]);
    expect(most).toBe(1);
  });

  it('gives each of many sessions its own bytes, however late they are read and whatever store they come from', async () => {
    await using store = await openFileStore(await temporaryFolder());
    const content = randomBytes(6 * MAX_READ_BYTES + 700_000);
    for (const kind of ['on disk', 'in memory']) {
      const { writer, reader, token, url } = await stage(kind === 'on disk' ? store : undefined);
      const sender = await writer();
      sender.upload(1, 'DC1/large', content);
      await sender.acknowledged(1);
      const client = await reader();
      const hello = { mode: 'read' } as const;
      const slow = await greet(url, 'edge1', { token: await token('edge1', 'read'), hello });
      slow.ws.pause();
      const starts = Array.from({ length: 7 }, (_, n) => n * MAX_READ_BYTES);
      for (const each of [slow, client])
        for (const [request, start] of starts.entries())
          ask(each, request, ['DC1/large', start, MAX_READ_BYTES]);
      const isRight = async (each: WireClient): Promise<void> => {
        const told = new Set<number>();
        while (told.size < starts.length) {
          const { request, parts } = await each.next('content');
          const [part] = parts as FilePart[];
          const wanted = content.subarray(starts[request], starts[request]! + MAX_READ_BYTES);
          expect(part!.content.equals(wanted)).toBe(true);
          expect(part!.digest.equals(digestOf('xxh64', wanted))).toBe(true);
          told.add(request);
        }
      };
      await isRight(client);
      // Cut while an answer to it waits in its socket: that memory is not used again.
      const cut = await greet(url, 'edge1', { token: await token('edge1', 'read'), hello });
      cut.ws.pause();
      for (const [request, start] of starts.entries())
        ask(cut, request, ['DC1/large', start, MAX_READ_BYTES]);
      cut.ws.terminate();
      slow.ws.resume();
      await isRight(slow);
    }
  });

  it('keeps little memory of answers that have left', async () => {
    await using store = await openFileStore(await temporaryFolder());
    const { writer, reader } = await stage(store);
    const sender = await writer();
    const content = randomBytes(MAX_READ_BYTES);
    sender.upload(1, 'DC1/large', content);
    await sender.acknowledged(1);
    const client = await reader();
    const memory = new Set<ArrayBufferLike>();
    // eslint-disable-next-line typescript/unbound-method -- Called with the socket that it is called on.
    const { send } = WebSocket.prototype;
    vi.spyOn(WebSocket.prototype, 'send').mockImplementation(function (this: WebSocket, ...args: unknown[]) {
      const [bytes] = args as [Buffer];
      if (bytes.length > MAX_READ_BYTES) memory.add(bytes.buffer);
      return Reflect.apply(send, this, args);
    });
    for (let request = 1; request <= 30; request++) {
      ask(client, request, ['DC1/large', 0, MAX_READ_BYTES]);
      const [part] = (await client.next('content')).parts as FilePart[];
      expect(part!.content.equals(content)).toBe(true);
    }
    expect(memory.size).toBeGreaterThan(0);
    expect(memory.size).toBeLessThanOrEqual(4);
  });

  it('that the end of the receiver has cut is not answered: nothing is told to be missing', async () => {
    const { store } = gatedStore();
    const reading = Promise.withResolvers<void>();
    vi.spyOn(store, 'read').mockImplementation(async (_path, { signal } = {}) => {
      reading.resolve();
      await new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      });
      return undefined;
    });
    const { receiver, reader } = await stage(store);
    const client = await reader();
    ask(client, 1, ['DC1/a', 0, 1]);
    await reading.promise;
    await receiver[Symbol.asyncDispose]();
    expect(await closed(client)).toMatchObject({ code: 1001 });
    expect(client.inbox).toEqual([]);
  });

  it('for more than one answer may hold breaks a rule', async () => {
    const { reader } = await stage();
    const client = await reader();
    ask(client, 1, ['DC1/a', 0, MAX_READ_BYTES], ['DC1/b', 0, 1]);
    expect(await closed(client)).toMatchObject({ code: 4400 });
  });

  it('with a path that leads out of the folder of the device breaks a rule', async () => {
    const { url, token } = await stage();
    for (const path of ['../edge2/DC1/a', '/etc/passwd', 'DC1/../../x', '']) {
      const client = await greet(url, 'edge1', {
        token: await token('edge1', 'read'),
        hello: { mode: 'read' },
      });
      const bytes = encode({
        type: 'read',
        request: 1,
        ranges: [{ path: parseRelPath('x'), start: 0, length: 1 }],
      });
      const text = Buffer.alloc(2 + Buffer.byteLength(path));
      text.writeUInt16BE(Buffer.byteLength(path));
      text.write(path, 2);
      client.ws.send(Buffer.concat([bytes.subarray(0, 7), text, bytes.subarray(10)]));
      expect(await closed(client)).toMatchObject({ code: 4400 });
    }
  });
});

describe('a token that reads', () => {
  it('gets the files of its device, and no others', async () => {
    const { writer, reader } = await stage();
    await put(await writer('edge2'), { 'DC1/theirs': 'theirs' });
    await put(await writer(), { 'DC1/ours': 'ours' });
    const client = await reader();
    expect(await read(client, ['DC1/theirs', 0, 10], ['edge2/DC1/theirs', 0, 10])).toEqual([
      undefined,
      undefined,
    ]);
    expect(await read(client, ['DC1/ours', 0, 10])).toEqual([partOf(4, Buffer.from('ours'))]);
  });

  it('opens no session of another device, nor one that writes', async () => {
    const { url, token } = await stage();
    const mine = await token('edge1', 'read');
    for (const [device, mode] of [
      ['edge2', 'read'],
      ['edge2', 'write'],
      ['edge1', 'write'],
    ] as const) {
      const client = await connect(url, { token: mine });
      client.hello(device, { mode });
      expect(await closed(client)).toMatchObject({ code: 4403 });
    }
  });

  it.each<SenderMessage>([
    { type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'planted')] },
    { type: 'open', id: 1, resume: false, entry: { path: parseRelPath('DC1/a'), size: 1, mtimeUs: 0 } },
    { type: 'seal', request: 1, directory: parseRelPath('DC1') },
    { type: 'report', json: Buffer.from('{}') },
  ])('changes nothing: $type ends the session', async (message) => {
    const { store, paths } = gatedStore();
    const { reader } = await stage(store);
    const client = await reader();
    client.say(message);
    expect(await closed(client)).toMatchObject({ code: 4400 });
    expect(paths()).toEqual([]);
  });

  it('is no sign of life of its device', async () => {
    const watch = { opened: vi.fn<DeviceWatch['opened']>(() => UNWATCHED), refused: vi.fn(), full: vi.fn() };
    const { writer, reader } = await stage(gatedStore().store, { watch });
    await reader();
    expect(watch.opened).not.toHaveBeenCalled();
    await writer();
    expect(watch.opened).toHaveBeenCalledTimes(1);
  });

  it('takes no place from the sessions that write, and has a bounded number itself', async () => {
    const { url, token, first } = await stage();
    const reading = await token('edge1', 'read');
    const open = async (token: string) => await greet(url, 'edge1', { token, hello: { mode: 'read' } });
    for (let n = 0; n < MAX_SESSIONS_OF_DEVICE; n++) await open(reading);
    await expect(open(reading)).rejects.toMatchObject({ status: 503 });
    await open(first);
  });
});

describe('content', () => {
  it('is offered to a session that reads with such a token, and to no other', async () => {
    const { url, token, first } = await stage();
    const offered = async (token: string, mode: 'read' | 'write') => {
      const client = await connect(url, { token });
      client.hello('edge1', { mode });
      return (await client.next('welcome')).reads;
    };
    expect(await offered(await token('edge1', 'read'), 'read')).toBe(true);
    expect(await offered(first, 'read')).toBe(false);
    expect(await offered(first, 'write')).toBe(false);
  });

  it.each(['read', 'write'] as const)(
    'is not given to a token that writes, in mode %s, not even its own',
    async (mode) => {
      const { url, first, writer } = await stage();
      await put(await writer(), { 'DC1/a': 'a' });
      const client = await greet(url, 'edge1', { token: first, hello: { mode } });
      ask(client, 1, ['DC1/a', 0, 1]);
      expect(await closed(client)).toMatchObject({ code: 4400 });
    },
  );

  it('is not given where nobody needs a token', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const client = await greet(url, 'edge1', { hello: { mode: 'read' } });
    ask(client, 1, ['DC1/a', 0, 1]);
    expect(await closed(client)).toMatchObject({ code: 4400 });
  });
});
