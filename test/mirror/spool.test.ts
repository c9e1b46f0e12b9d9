import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import * as fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { BLOCK_BYTES } from '../../src/mirror/spool/block-cache.ts';
import { openSpool } from '../../src/mirror/spool/open-spool.ts';
import type { Spool, SpoolFile } from '../../src/mirror/spool/spool.ts';
import { asNobody } from '../../harness/as-nobody.ts';
import { mountTmpfs } from '../store/tmpfs.ts';

const MIB = 1024 * 1024;

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'isync-test-spool-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function newSpool(maxBytes = 64 * MIB, folder = newFolder(), readersMs?: number): Promise<Spool> {
  const spool = await openSpool({ folder, maxBytes, readersMs });
  onTestFinished(async () => await spool[Symbol.asyncDispose]());
  return spool;
}

async function fileOf(spool: Spool, size: number | undefined, maxSize = MIB): Promise<SpoolFile> {
  const file = await spool.open(size, maxSize);
  expect(file).toBeDefined();
  return file!;
}

async function all(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function write(file: SpoolFile, content: Buffer, pieceBytes = 50_000): Promise<void> {
  for (let at = 0; at < content.length; at += pieceBytes)
    await file.write(content.subarray(at, at + pieceBytes));
}

/** Files of the spool that this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.includes('isync-spool-') ? [target] : [];
    } catch {
      return [];
    }
  });
}

it('gives a body to readers that begin before, while and after it comes', async () => {
  const spool = await newSpool();
  const content = randomBytes(3 * MIB + 123);
  const file = await fileOf(spool, content.length);
  const before = all(file.read());
  await write(file, content.subarray(0, MIB));
  const during = all(file.read());
  await write(file, content.subarray(MIB));
  file.end();
  const after = all(file.read());
  for (const read of [before, during, after]) expect((await read).equals(content)).toBe(true);
  expect(file.md5).toBe(createHash('md5').update(content).digest('hex'));
  file[Symbol.dispose]();
  await expect.poll(() => spool.usedBytes).toBe(0);
});

it('cuts any range out of what is there and what comes', async () => {
  const spool = await newSpool();
  const content = randomBytes(5 * BLOCK_BYTES + 7);
  const edges = fc.oneof(
    fc.nat(content.length + 10),
    fc.constantFrom(0, BLOCK_BYTES, BLOCK_BYTES - 1, 2 * BLOCK_BYTES, content.length),
  );
  await fc.assert(
    fc.asyncProperty(
      edges,
      fc.option(edges, { nil: undefined }),
      fc.integer({ min: 1, max: 2 * BLOCK_BYTES }),
      async (start, end, pieceBytes) => {
        const file = await fileOf(spool, content.length);
        const range = end === undefined ? { start } : { start, end };
        const early = all(file.read(range));
        await write(file, content, pieceBytes);
        file.end();
        const expected = content.subarray(start, end ?? content.length);
        expect((await early).equals(expected)).toBe(true);
        expect((await all(file.read(range))).equals(expected)).toBe(true);
        file[Symbol.dispose]();
      },
    ),
    { numRuns: 40 },
  );
  await expect.poll(() => spool.usedBytes).toBe(0);
});

it('fails readers behind what has come, but not those that wanted no more', async () => {
  const spool = await newSpool();
  const file = await fileOf(spool, MIB);
  const content = randomBytes(300_000);
  const pieces: Uint8Array[] = [];
  const reading = (async () => {
    for await (const piece of file.read()) pieces.push(piece);
  })();
  const enough = all(file.read({ end: 1000 }));
  await write(file, content);
  const reason = new Error('the origin was cut');
  file.fail(reason);
  await expect(reading).rejects.toBe(reason);
  expect(Buffer.concat(pieces).equals(content)).toBe(true);
  expect((await enough).equals(content.subarray(0, 1000))).toBe(true);
  await expect(file.write(content)).rejects.toBe(reason);
  expect(() => file.md5).toThrow('no MD5');
});

it('fails readers when its writer leaves before the end', async () => {
  const spool = await newSpool();
  const file = await fileOf(spool, 10);
  const reading = all(file.read());
  file[Symbol.dispose]();
  await expect(reading).rejects.toMatchObject({ code: 'INTERRUPTED' });
  expect(spool.usedBytes).toBe(0);
});

it('lets a reader leave while it waits, by its signal', async () => {
  const spool = await newSpool();
  const file = await fileOf(spool, 10);
  const leaves = new AbortController();
  const reading = all(file.read({}, leaves.signal));
  const reason = new Error('gone');
  leaves.abort(reason);
  await expect(reading).rejects.toBe(reason);
  await expect(all(file.read({}, leaves.signal))).rejects.toBe(reason);
  file[Symbol.dispose]();
  expect(spool.usedBytes).toBe(0);
});

it('gives room back only when the writer and every reader have left', async () => {
  const spool = await newSpool();
  const content = randomBytes(MIB);
  const file = await fileOf(spool, content.length);
  const leaves = new AbortController();
  const late = file.read()[Symbol.asyncIterator]();
  const neverRead = file.read()[Symbol.asyncIterator]();
  file.read({}, leaves.signal);
  await write(file, content);
  file.end();
  file[Symbol.dispose]();
  expect(spool.usedBytes).toBe(MIB);
  expect(await late.next()).toMatchObject({ done: false });
  await late.return!();
  await neverRead.return!();
  expect(spool.usedBytes).toBe(MIB);
  expect(openFiles()).toHaveLength(1);
  leaves.abort(new Error('gone'));
  await expect.poll(() => spool.usedBytes).toBe(0);
  expect(openFiles()).toEqual([]);
  expect(() => file.read()).toThrow('gone from the spool');
});

it('has no room beyond its bytes, and has it again later', async () => {
  const spool = await newSpool(10 * MIB);
  const first = await fileOf(spool, 8 * MIB);
  expect(await spool.open(3 * MIB, 0)).toBeUndefined();
  expect(await spool.open(11 * MIB, 0)).toBeUndefined();
  const small = await fileOf(spool, 2 * MIB);
  expect(await spool.open(undefined, MIB)).toBeUndefined();
  first[Symbol.dispose]();
  small[Symbol.dispose]();
  (await fileOf(spool, 10 * MIB))[Symbol.dispose]();
  expect(spool.usedBytes).toBe(0);
});

it('takes room for a body of unknown length as it comes, and refuses the rest', async () => {
  const spool = await newSpool(3 * MIB);
  const other = await fileOf(spool, 1_500_000);
  const file = await fileOf(spool, undefined, 100 * MIB);
  expect(spool.usedBytes).toBe(1_500_000);
  const content = randomBytes(2 * MIB);
  await expect(write(file, content)).rejects.toMatchObject({ code: 'STORE_FULL' });
  file[Symbol.dispose]();
  await expect.poll(() => spool.usedBytes).toBe(1_500_000);
  other[Symbol.dispose]();
  const limited = await fileOf(spool, undefined, 1000);
  await expect(limited.write(content)).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' });
  limited[Symbol.dispose]();
});

it('keeps no name on the disk, and removes those of killed processes alone', async () => {
  const folder = newFolder();
  writeFileSync(join(folder, 'isync-spool-of-a-killed-process'), 'left');
  writeFileSync(join(folder, 'of somebody else'), 'stays');
  const spool = await newSpool(64 * MIB, folder);
  const file = await fileOf(spool, 2 * MIB);
  await write(file, randomBytes(2 * MIB));
  expect(openFiles()).toHaveLength(1);
  expect(readdirSync(folder)).toEqual(['of somebody else']);
  file[Symbol.dispose]();
});

it('makes its folder again where that is gone', async () => {
  const folder = join(newFolder(), 'spool');
  const spool = await newSpool(64 * MIB, folder);
  rmSync(folder, { recursive: true });
  const content = randomBytes(3 * BLOCK_BYTES);
  const file = await fileOf(spool, content.length);
  const coming = all(file.read());
  await write(file, content);
  file.end();
  expect((await coming).equals(content)).toBe(true);
});

it('removes the folder that it made, fails what is read, and takes no more', async () => {
  const parent = newFolder();
  const spool = await openSpool({ folder: join(parent, 'a', 'spool'), maxBytes: 64 * MIB });
  const file = await fileOf(spool, 2 * MIB);
  await write(file, randomBytes(MIB));
  const reading = all(file.read());
  reading.catch(() => undefined);
  await spool[Symbol.asyncDispose]();
  await expect(reading).rejects.toMatchObject({ code: 'INTERRUPTED' });
  expect(readdirSync(join(parent, 'a'))).toEqual([]);
  expect(openFiles()).toEqual([]);
  await expect(spool.open(1, 1)).rejects.toMatchObject({ code: 'INTERRUPTED' });
});

it('says which folder can not be used', async () => {
  const folder = newFolder();
  writeFileSync(join(folder, 'file'), '');
  await expect(openSpool({ folder: join(folder, 'file'), maxBytes: 1 })).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: expect.stringContaining(join(folder, 'file')),
  });
});

it.each(['/proc/isync-spool/a', '/proc/isync-spool'])(
  'says that its folder can not be made: %s',
  async (folder) => {
    await expect(openSpool({ folder, maxBytes: 1 })).rejects.toMatchObject({
      code: 'STORE_FAILED',
      path: folder,
      message: expect.stringContaining('ENOENT'),
    });
  },
);

it('gives the last byte of a body of known size only when the body is whole', async () => {
  const spool = await newSpool();
  const content = Buffer.from('0123456789');
  const bad = await fileOf(spool, 10);
  const pieces: Uint8Array[] = [];
  const reading = (async () => {
    for await (const piece of bad.read()) pieces.push(piece);
  })();
  await bad.write(content);
  await setImmediate();
  bad.fail(new Error('its digest is another one'));
  await expect(reading).rejects.toThrow('digest');
  expect(Buffer.concat(pieces).toString()).toBe('012345678');
  bad[Symbol.dispose]();
  const good = await fileOf(spool, 10);
  const whole = all(good.read());
  const last = all(good.read({ start: 9 }));
  await good.write(content);
  await setImmediate();
  good.end();
  expect([(await whole).toString(), (await last).toString()]).toEqual(['0123456789', '9']);
  good[Symbol.dispose]();
});

it('cuts the readers of a body that has come where another one needs its room, the oldest first', async () => {
  const spool = await newSpool(3 * MIB, undefined, 0);
  const content = randomBytes(MIB);
  const begin = async (): Promise<AsyncIterator<Uint8Array>> => {
    const file = await fileOf(spool, MIB);
    await write(file, content);
    file.end();
    const reader = file.read()[Symbol.asyncIterator]();
    await reader.next();
    file[Symbol.dispose]();
    return reader;
  };
  const [first, second] = [await begin(), await begin()];
  const coming = await fileOf(spool, MIB);
  const another = await fileOf(spool, MIB);
  await expect(first.next()).rejects.toMatchObject({ code: 'STORE_FULL' });
  expect((await second.next()).done).toBe(false);
  coming[Symbol.dispose]();
  another[Symbol.dispose]();
  await second.return?.();
  await expect.poll(() => spool.usedBytes).toBe(0);
});

it('has no room for a body while the readers of others have had less than a minute', async () => {
  const spool = await newSpool(MIB);
  const file = await fileOf(spool, MIB);
  await write(file, randomBytes(MIB));
  file.end();
  const reading = file.read()[Symbol.asyncIterator]();
  file[Symbol.dispose]();
  expect(await spool.open(1, MIB)).toBeUndefined();
  expect((await reading.next()).done).toBe(false);
  await reading.return?.();
});

it('leaves alone what looks like a leftover and can not be removed', async () => {
  const folder = newFolder();
  mkdirSync(join(folder, 'isync-spool-of-another'));
  const spool = await newSpool(MIB, folder);
  expect(spool.usedBytes).toBe(0);
});

it('says at once that its folder can not be written to', async () => {
  const folder = newFolder();
  chmodSync(folder, 0o755);
  await asNobody(async () => {
    await expect(openSpool({ folder, maxBytes: MIB })).rejects.toMatchObject({
      code: 'STORE_FAILED',
      path: folder,
    });
  });
});

it('fails the body alone where the disk is full', async () => {
  const folder = newFolder();
  const unmount = mountTmpfs(folder);
  if (unmount === undefined) return;
  onTestFinished(unmount);
  const spool = await openSpool({ folder, maxBytes: 64 * MIB });
  const content = randomBytes(2 * MIB);
  const large = await fileOf(spool, content.length);
  await expect(write(large, content)).rejects.toMatchObject({
    code: 'STORE_FULL',
    message: expect.stringContaining('no space left'),
  });
  large[Symbol.dispose]();
  await expect.poll(() => spool.usedBytes).toBe(0);
  const small = await fileOf(spool, MIB / 2);
  await write(small, content.subarray(0, MIB / 2));
  small.end();
  expect((await all(small.read())).equals(content.subarray(0, MIB / 2))).toBe(true);
  small[Symbol.dispose]();
  await spool[Symbol.asyncDispose]();
});

it('serves a thousand readers, a tenth of them slow, out of little memory', async () => {
  const spool = await newSpool(64 * MIB);
  const size = 50 * MIB;
  const file = await fileOf(spool, size);
  const block = randomBytes(MIB);
  const hash = createHash('md5');
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
  const before = process.memoryUsage().rss;
  const written = Promise.withResolvers<void>();
  const readers = Array.from({ length: 1000 }, async (_, index) => {
    const isSlow = index % 10 === 0;
    let read = 0;
    for await (const piece of file.read()) {
      // A look at both ends of a piece: a digest of 50 GB would take minutes.
      for (const at of [0, piece.length - 1])
        if (piece[at] !== block[(read + at) % MIB]) throw new Error(`wrong byte at ${read + at}`);
      read += piece.length;
      if (!isSlow) continue;
      await written.promise;
      for (let turn = 0; turn < index % 7; turn++) await setImmediate();
    }
    return read;
  });
  for (let at = 0; at < size; at += 64 * 1024) {
    const piece = block.subarray(at % MIB, (at % MIB) + 64 * 1024);
    hash.update(piece);
    await file.write(piece);
  }
  file.end();
  written.resolve();
  expect(file.md5).toBe(hash.digest('hex'));
  file[Symbol.dispose]();
  expect(new Set(await Promise.all(readers))).toEqual(new Set([size]));
  clearInterval(watch);
  expect(most - before).toBeLessThan(200 * MIB);
  await expect.poll(() => spool.usedBytes).toBe(0);
});
