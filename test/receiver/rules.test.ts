import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { encode } from '../../src/protocol/codec.ts';
import { MAX_MESSAGE_BYTES } from '../../src/protocol/limits.ts';
import type { Hello } from '../../src/protocol/messages.ts';
import { pack } from '../../src/protocol/packing.ts';
import { gatedStore, receiverFor } from './fixtures.ts';
import { connect, greet, inlineFile, type WireClient } from './wire-client.ts';

const FILE = inlineFile('DC1/a', 'a');
const DIGEST = Buffer.alloc(8);
const PATH = parseRelPath('DC1/a');

interface BrokenRule {
  readonly name: string;
  readonly hello?: Partial<Hello>;
  readonly code?: number;
  readonly breakIt: (client: WireClient) => void;
}

const READ = { mode: 'read' } as const;

const BROKEN_RULES: BrokenRule[] = [
  { name: 'an empty message', breakIt: ({ ws }) => ws.send(Buffer.alloc(0)) },
  { name: 'an unknown type', breakIt: ({ ws }) => ws.send(Buffer.of(0x42)) },
  {
    name: 'a message of a receiver',
    breakIt: ({ ws }) => ws.send(encode({ type: 'sealed', request: 1 })),
  },
  { name: 'a malformed message', breakIt: ({ ws }) => ws.send(Buffer.of(4, 0, 0)) },
  { name: 'a text message', breakIt: ({ ws }) => ws.send('{"type":"files"}') },
  {
    name: 'a message that is too large',
    code: 1009,
    breakIt: ({ ws }) => ws.send(Buffer.alloc(MAX_MESSAGE_BYTES + 1, 4)),
  },
  { name: 'a second HELLO', breakIt: (client) => client.hello('edge1') },
  {
    name: 'an id that was used',
    breakIt: (client) => client.say({ type: 'files', firstId: 1, files: [FILE] }),
  },
  {
    name: 'an id that leaves a gap',
    breakIt: (client) => client.say({ type: 'files', firstId: 3, files: [FILE] }),
  },
  { name: 'an OPEN that leaves a gap', breakIt: (client) => client.open(3, 'DC1/b', 1) },
  { name: 'the id 0', breakIt: (client) => client.open(0, 'DC1/b', 1) },
  {
    name: 'a file that leaves its folder',
    breakIt: ({ ws }) => {
      const bytes = encode({ type: 'files', firstId: 2, files: [inlineFile('aa/DC1/b', 'b')] });
      bytes.write('../DC1/b', bytes.indexOf('aa/DC1/b'));
      ws.send(bytes);
    },
  },
  {
    name: 'too many files in flight',
    breakIt: (client) =>
      client.say({ type: 'files', firstId: 2, files: Array.from({ length: 21 }, () => FILE) }),
  },
  {
    name: 'too many open uploads',
    breakIt: (client) => {
      for (let id = 2; id <= 4; id++) client.open(id, `DC1/f${id}`, 1);
    },
  },
  {
    name: 'too many requests',
    breakIt: (client) => {
      for (let request = 1; request <= 3; request++)
        client.say({ type: 'look', request, digest: false, paths: [PATH] });
    },
  },
  {
    name: 'a request number that is in use',
    breakIt: (client) => {
      for (let time = 0; time < 2; time++)
        client.say({ type: 'look', request: 1, digest: true, paths: [PATH] });
    },
  },
  {
    name: 'a CHUNK of an id that was never opened',
    breakIt: (client) => client.say({ type: 'chunk', id: 2, offset: 0, content: DIGEST }),
  },
  {
    name: 'a CHUNK of a file that came whole',
    breakIt: (client) => client.say({ type: 'chunk', id: 1, offset: 0, content: DIGEST }),
  },
  {
    name: 'an END of an id that is not open',
    breakIt: (client) => client.say({ type: 'end', id: 2, digest: DIGEST }),
  },
  {
    name: 'a CANCEL of an id that is not open',
    breakIt: (client) => client.say({ type: 'cancel', id: 2, keep: true }),
  },
  {
    name: 'a second END',
    breakIt: (client) => {
      client.open(2, 'DC1/b', 0);
      client.say({ type: 'end', id: 2, digest: DIGEST });
      client.say({ type: 'end', id: 2, digest: DIGEST });
    },
  },
  {
    name: 'a chunk that skips bytes',
    breakIt: (client) => {
      client.open(2, 'DC1/b', 100);
      client.say({ type: 'chunk', id: 2, offset: 1, content: DIGEST });
    },
  },
  {
    name: 'a chunk that comes twice',
    breakIt: (client) => {
      client.open(2, 'DC1/b', 100);
      client.say({ type: 'chunk', id: 2, offset: 0, content: DIGEST });
      client.say({ type: 'chunk', id: 2, offset: 0, content: DIGEST });
    },
  },
  {
    name: 'more bytes than were announced',
    breakIt: (client) => {
      client.open(2, 'DC1/b', 7);
      client.say({ type: 'chunk', id: 2, offset: 0, content: DIGEST });
    },
  },
  {
    name: 'an END before the last byte',
    breakIt: (client) => {
      client.open(2, 'DC1/b', 9);
      client.say({ type: 'chunk', id: 2, offset: 0, content: DIGEST });
      client.say({ type: 'end', id: 2, digest: DIGEST });
    },
  },
  {
    name: 'a chunk before OFFSET was said',
    breakIt: (client) => {
      client.open(2, 'DC1/b', 100, true);
      client.say({ type: 'chunk', id: 2, offset: 0, content: DIGEST });
    },
  },
  {
    name: 'FILES in a session that reads',
    hello: READ,
    breakIt: (client) => client.say({ type: 'files', firstId: 1, files: [FILE] }),
  },
  {
    name: 'PACKED in a session that reads',
    hello: READ,
    breakIt: ({ ws }) => ws.send(pack(encode({ type: 'files', firstId: 1, files: [FILE] }))),
  },
  { name: 'OPEN in a session that reads', hello: READ, breakIt: (client) => client.open(1, 'DC1/b', 1) },
  {
    name: 'SEAL in a session that reads',
    hello: READ,
    breakIt: (client) => client.say({ type: 'seal', request: 1, directory: parseRelPath('DC1') }),
  },
];

/** What PACKED must not hold, and how it must not be made. */
const CHUNK = encode({ type: 'chunk', id: 2, offset: 0, content: DIGEST });
const FRAME = zstdCompressSync(CHUNK);
const BROKEN_PACKS: { readonly name: string; readonly length?: number; readonly frame: Buffer }[] = [
  { name: 'no frame', frame: Buffer.alloc(0) },
  { name: 'what is no frame', frame: CHUNK },
  { name: 'a frame that is cut', frame: FRAME.subarray(0, -1) },
  { name: 'bytes after the frame', frame: Buffer.concat([FRAME, Buffer.of(0)]) },
  { name: 'two frames', frame: Buffer.concat([FRAME, FRAME]), length: 2 * CHUNK.length },
  { name: 'a claim that is too long', frame: FRAME, length: CHUNK.length + 1 },
  { name: 'a claim that is too short', frame: FRAME, length: CHUNK.length - 1 },
  { name: 'a bomb', frame: zstdCompressSync(Buffer.alloc(64 * MAX_MESSAGE_BYTES, CHUNK)) },
  { name: 'END', frame: zstdCompressSync(encode({ type: 'end', id: 2, digest: DIGEST })), length: 13 },
  { name: 'another PACKED', frame: zstdCompressSync(pack(CHUNK)), length: pack(CHUNK).length },
];

for (const { name, frame, length = CHUNK.length } of BROKEN_PACKS)
  BROKEN_RULES.push({
    name: `PACKED with ${name}`,
    breakIt: (client) => {
      client.open(2, 'DC1/b', 100);
      client.say({ type: 'packed', length, frame });
    },
  });

describe('a session is closed for', () => {
  it.each(BROKEN_RULES)('$name, and another device goes on', async ({ breakIt, hello, code = 4400 }) => {
    const store = gatedStore();
    const { url, log } = await receiverFor(store.store, {
      limits: { filesInFlight: 20, openUploads: 2, requests: 2 },
    });
    const other = await greet(url, 'edge2');
    const client = await greet(url, 'edge1', hello === undefined ? {} : { hello });
    if (hello === undefined) {
      client.say({ type: 'files', firstId: 1, files: [FILE] });
      await client.acknowledged(1);
    }
    breakIt(client);
    expect((await client.closed).code).toBe(code);
    other.say({ type: 'files', firstId: 1, files: [FILE] });
    expect(await other.acknowledged(1)).toEqual([1]);
    expect(store.paths().filter((path) => path.startsWith('edge1/'))).toEqual(
      hello === undefined ? ['edge1/DC1/a'] : [],
    );
    expect(log.at('error')).toEqual([]);
  });

  it.each<{ name: string; code: number; say: (client: WireClient) => void }>([
    {
      name: 'anything before HELLO',
      code: 4400,
      say: (client) => client.say({ type: 'files', firstId: 1, files: [FILE] }),
    },
    { name: 'KEEPALIVE before HELLO', code: 4400, say: (client) => client.say({ type: 'keepalive' }) },
    { name: 'a device name that is none', code: 4400, say: (client) => client.hello('../edge1') },
    { name: 'a hidden device name', code: 4400, say: (client) => client.hello('.isync') },
    { name: 'no common version', code: 4426, say: (client) => client.hello('edge1', { version: 0 }) },
  ])('$name', async ({ code, say }) => {
    const { url } = await receiverFor(gatedStore().store);
    const client = await connect(url);
    say(client);
    expect((await client.closed).code).toBe(code);
    expect(client.inbox).toEqual([]);
  });

  it('a message between HELLO and WELCOME, but not for KEEPALIVE', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const old = await greet(url, 'edge1');
    store.shut();
    old.say({ type: 'files', firstId: 1, files: [FILE] });
    old.say({ type: 'look', request: 1, digest: false, paths: [] });
    await old.next('looked');
    const client = await connect(url);
    client.hello('edge1');
    client.say({ type: 'keepalive' });
    client.say({ type: 'files', firstId: 1, files: [FILE] });
    expect(await client.closed).toEqual({ code: 4400, reason: 'files before WELCOME' });
    store.open();
  });
});
