import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { IsyncError } from '../../src/model/isync-error.ts';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath, type RelPath } from '../../src/model/rel-path.ts';
import { MAX_READ_BYTES } from '../../src/protocol/limits.ts';
import type { Content, FilePart, FileRange } from '../../src/protocol/messages.ts';
import { openReceiverStore } from '../../src/sender/ws/receiver-store.ts';
import type { LinkState } from '../../src/sender/ws/ws-target-options.ts';
import type { ReadableStore } from '../../src/store/store.ts';
import { joined } from '../suites/store/files.ts';
import { fakeReceiver, type Script, welcome } from './fake-receiver.ts';
import { QUICK, usingForTest } from './receiver-fixture.ts';

const PATH = parseRelPath('edge1/DC1/a');

/** The part that an honest receiver gives of a file. */
function honest(file: Buffer, { start, length }: FileRange, more: Partial<FilePart> = {}): FilePart {
  const content = file.subarray(start, start + length);
  return {
    size: file.length,
    mtimeUs: 5,
    version: 'v1',
    kept: undefined,
    digest: digestOf('xxh64', content),
    content,
    ...more,
  };
}

/** Opened at a receiver that answers each READ with what `parts` says. */
async function opened(
  parts: (ranges: readonly FileRange[], nth: number) => Content['parts'],
  script: Script = {},
) {
  let nth = 0;
  const receiver = usingForTest(
    await fakeReceiver({
      reads: true,
      limits: { requests: 32 },
      message: ({ say }, message) => {
        if (message.type === 'read')
          say({ type: 'content', request: message.request, parts: parts(message.ranges, ++nth) });
      },
      ...script,
    }),
  );
  const { url } = receiver;
  const lost = Promise.withResolvers<IsyncError | undefined>();
  const onLink = (state: LinkState, error?: IsyncError) => state === 'lost' && lost.resolve(error);
  const store = usingForTest(
    await openReceiverStore({ url, device: 'edge1', digest: 'xxh64', retry: QUICK, onLink }),
  );
  const asked = (): FileRange[][] =>
    receiver.heard.flatMap((message) => (message.type === 'read' ? [[...message.ranges]] : []));
  return { store, receiver, asked, lost: lost.promise };
}

async function contentOf(store: ReadableStore, path: RelPath = PATH, start?: number): Promise<Buffer> {
  return await joined((await store.read(path, { start }))!.bytes);
}

describe('what a receiver keeps', () => {
  it('comes back, small files many to a request', async () => {
    const file = randomBytes(1000);
    const { store, asked } = await opened((ranges) => ranges.map((range) => honest(file, range)));
    const paths = Array.from({ length: 600 }, (_, n) => parseRelPath(`edge1/DC1/${n}`));
    const found = await Promise.all(paths.map((path) => store.read(path, { length: 1000 })));
    expect(found.map((each) => each!.entry)).toEqual(paths.map((path) => ({ path, size: 1000, mtimeUs: 5 })));
    for (const each of found) expect((await joined(each!.bytes)).equals(file)).toBe(true);
    expect(asked().map((ranges) => ranges.length)).toEqual([256, 256, 88]);
  });

  it('comes in ranges that are asked for ahead, none larger than one may be', async () => {
    const file = randomBytes(12 * MAX_READ_BYTES + 17);
    const { store, asked } = await opened((ranges) => ranges.map((range) => honest(file, range)));
    expect((await contentOf(store)).equals(file)).toBe(true);
    expect((await contentOf(store, PATH, 5_000_000)).equals(file.subarray(5_000_000))).toBe(true);
    expect((await contentOf(store, PATH, file.length)).length).toBe(0);
    for (const ranges of asked()) expect(ranges[0]!.length).toBeLessThanOrEqual(MAX_READ_BYTES);
  });

  it('is told without its bytes where none are wanted, with the digest that is kept', async () => {
    const kept = { algorithm: 'sha256', value: Buffer.alloc(32, 7) } as const;
    const file = randomBytes(10);
    const { store } = await opened((ranges) => ranges.map((range) => honest(file, range, { kept })));
    const found = await store.read(PATH, { length: 0 });
    expect(found).toMatchObject({ entry: { size: 10 }, version: 'v1', digest: kept });
    expect(await joined(found!.bytes)).toEqual(Buffer.alloc(0));
  });

  it('is nothing of another device, and nothing where nothing is', async () => {
    const { store, asked } = await opened((ranges) => ranges.map(() => undefined));
    expect(await store.read(parseRelPath('edge2/DC1/a'))).toBeUndefined();
    expect(await store.stat(parseRelPath('edge2/DC1/a'))).toBeUndefined();
    expect(asked()).toEqual([]);
    expect(await store.read(PATH)).toBeUndefined();
  });

  it('comes in memory that is used again where each piece is done with, and its digest stays', async () => {
    const file = randomBytes(40 * MAX_READ_BYTES + 17);
    const kept = { algorithm: 'xxh64', value: digestOf('xxh64', file) } as const;
    const { store } = await opened((ranges) => ranges.map((range) => honest(file, range, { kept })));
    const found = (await store.read(PATH, { reuse: true }))!;
    const [memory, pieces] = [new Set<ArrayBufferLike>(), [] as Buffer[]];
    for await (const piece of found.bytes) {
      memory.add(piece.buffer);
      pieces.push(Buffer.from(piece));
    }
    expect(Buffer.concat(pieces).equals(file)).toBe(true);
    expect(memory.size).toBeLessThan(20);
    expect(kept.value.equals(found.digest!.value)).toBe(true);
  });

  it('stays as it came where it is held', async () => {
    const file = randomBytes(20 * MAX_READ_BYTES);
    const { store } = await opened((ranges) => ranges.map((range) => honest(file, range)));
    const pieces: Uint8Array[] = [];
    for await (const piece of (await store.read(PATH))!.bytes) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(file)).toBe(true);
  });

  it('goes on over a link that breaks in the middle', async () => {
    const file = randomBytes(6 * MAX_READ_BYTES);
    let left = 3;
    const { store, receiver } = await opened(() => [], {
      message: ({ say, socket }, message) => {
        if (message.type !== 'read') return;
        if (--left === 0) return socket.terminate();
        const parts = message.ranges.map((range) => honest(file, range));
        say({ type: 'content', request: message.request, parts });
      },
    });
    expect((await contentOf(store)).equals(file)).toBe(true);
    expect(receiver.sessions.length).toBe(2);
  });
});

describe('a receiver that lies', () => {
  const file = randomBytes(2000);

  it.each<[string, (range: FileRange) => Content['parts'], string]>([
    [
      'with other bytes than their digest',
      (range) => [honest(file, range, { digest: Buffer.alloc(8) })],
      'DIGEST_MISMATCH',
    ],
    [
      'with more than was asked for',
      () => [honest(file, { path: PATH, start: 0, length: 2000 })],
      'PROTOCOL',
    ],
    ['with less than the file has', (range) => [honest(file, { ...range, length: 10 })], 'PROTOCOL'],
    ['with a part too many', (range) => [honest(file, range), undefined], 'PROTOCOL'],
    ['with none', () => [], 'PROTOCOL'],
  ])('%s is refused', async (_, parts, code) => {
    const { store, lost } = await opened((ranges) => parts(ranges[0]!));
    const reading = store.read(PATH, { length: 1000 });
    // Whoever breaks a rule is left, and asked again later.
    const refused =
      code === 'PROTOCOL'
        ? lost
        : reading.then(
            () => undefined,
            (error: unknown) => error,
          );
    reading.catch(() => undefined);
    expect(await refused).toMatchObject({ code });
  });

  it.each<[string, Partial<FilePart>]>([
    ['version', { version: 'v2' }],
    ['mtime', { mtimeUs: 6 }],
  ])('about the %s of a range gives no file of two versions', async (_, change) => {
    const large = randomBytes(3 * MAX_READ_BYTES);
    const { store } = await opened((ranges, nth) =>
      ranges.map((range) => honest(large, range, nth === 3 ? change : {})),
    );
    await expect(contentOf(store)).rejects.toMatchObject({ code: 'FILE_CHANGED', retryable: true });
  });

  it('about what it lists is refused', async () => {
    const { store } = await opened(() => [], {
      message: ({ say }, message) => {
        if (message.type !== 'list') return;
        const files = [{ path: parseRelPath('DC2/elsewhere'), size: 1, mtimeUs: 1 }];
        say({ type: 'listed', request: message.request, last: true, files });
      },
    });
    const listed = store.list(parseRelPath('edge1/DC1'))[Symbol.asyncIterator]().next();
    await expect(listed).rejects.toMatchObject({ code: 'PROTOCOL' });
  });

  it('in its words is quoted as one line', async () => {
    const failure = { retryable: false, code: 'NO_SUCH_CODE', message: '\u001b[2Jone\ntwo' };
    const { store } = await opened((ranges) => ranges.map(() => failure));
    await expect(store.read(PATH)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: ' [2Jone two',
      path: 'DC1/a',
    });
  });
});

describe('a receiver that gives nothing', () => {
  it.each([
    ['of an older version', undefined, 'VERSION_UNSUPPORTED', 'Update the receiver'],
    ['to such a token', false, 'AUTH_REFUSED', 'isync token add DEVICE --read'],
  ])('%s is told of, with what to do', async (_, reads, code, hint) => {
    const { store, asked } = await opened(() => [], {
      hello: ({ say }) => say({ ...welcome('edge1'), ...(reads !== undefined && { reads }) }),
    });
    await expect(store.read(PATH)).rejects.toMatchObject({
      code,
      retryable: false,
      hint: expect.stringContaining(hint) as string,
    });
    expect(asked()).toEqual([]);
  });
});
