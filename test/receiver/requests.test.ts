import { Readable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { gatedStore, receiverFor } from './fixtures.ts';
import { greet, inlineFile, type WireClient } from './wire-client.ts';

async function put(client: WireClient, ...paths: string[]): Promise<void> {
  const files = paths.map((path) => inlineFile(path, path));
  client.say({ type: 'files', firstId: 1, files });
  await client.acknowledged(files.length);
}

async function listAll(client: WireClient, request: number, prefix: string): Promise<string[]> {
  client.say({ type: 'list', request, prefix: prefix === '' ? '' : parseRelPath(prefix) });
  const paths: string[] = [];
  for (;;) {
    const page = await client.next('listed');
    expect(page.request).toBe(request);
    paths.push(...page.files.map(({ path }) => path));
    if (page.last) return paths.toSorted();
  }
}

describe('LOOK', () => {
  it('tells size and mtime, in the order asked, of what is there', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const client = await greet(url, 'edge1');
    await put(client, 'DC1/a');
    const tooLong = parseRelPath(`${'x'.repeat(254)}/`.repeat(16) + 'y'.repeat(14));
    const paths = [parseRelPath('DC1/none'), parseRelPath('DC1/a'), tooLong, parseRelPath('DC1')];
    client.say({ type: 'look', request: 7, digest: false, paths });
    expect(await client.next('looked')).toEqual({
      type: 'looked',
      request: 7,
      files: [undefined, { size: 5, mtimeUs: 1_000_000, digest: undefined }, undefined, undefined],
    });
  });

  it('tells digests where asked', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const client = await greet(url, 'edge1');
    await put(client, 'DC1/a');
    const paths = [parseRelPath('DC1/none'), parseRelPath('DC1/a')];
    client.say({ type: 'look', request: 7, digest: true, paths });
    expect((await client.next('looked')).files).toEqual([
      undefined,
      { size: 5, mtimeUs: 1_000_000, digest: digestOf('xxh64', Buffer.from('DC1/a')) },
    ]);
  });

  it('reads at most two files at a time for digests, and answers others meanwhile', async () => {
    const store = gatedStore();
    const gate = Promise.withResolvers<void>();
    let reading = 0;
    let most = 0;
    vi.spyOn(store.store, 'read').mockImplementation(async (path) => {
      most = Math.max(most, ++reading);
      await gate.promise;
      reading--;
      return { entry: { path, size: 0, mtimeUs: 0 }, bytes: Readable.from([]) };
    });
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    await put(client, 'DC1/a', 'DC1/b');
    const paths = [parseRelPath('DC1/a'), parseRelPath('DC1/b')];
    for (let request = 1; request <= 5; request++) client.say({ type: 'look', request, digest: true, paths });
    client.say({ type: 'seal', request: 6, directory: parseRelPath('DC1') });
    expect((await client.next('sealed')).request).toBe(6);
    gate.resolve();
    for (let request = 1; request <= 5; request++) await client.next('looked');
    expect(most).toBe(2);
  });
});

describe('LIST', () => {
  it('tells the files of this device, and no others, in pages', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const other = await greet(url, 'edge2');
    await put(other, 'DC1/theirs');
    const client = await greet(url, 'edge1');
    const paths = Array.from({ length: 256 }, (_, i) => `DC${i % 2}/f${i}`);
    await put(client, ...paths);
    expect(await listAll(client, 1, '')).toEqual(paths.toSorted());
    expect(await listAll(client, 1, 'DC1')).toEqual(paths.filter((p) => p.startsWith('DC1/')).toSorted());
    expect(await listAll(client, 1, 'DC1/f7')).toEqual(['DC1/f7']);
    expect(await listAll(client, 1, 'none')).toEqual([]);
    client.say({ type: 'files', firstId: 257, files: [inlineFile('DC0/more', '')] });
    await client.acknowledged(1);
    expect(await listAll(client, 1, '')).toHaveLength(257);
  });
});

describe('SEAL behind a file', () => {
  const directory = parseRelPath('DC1');

  it('is answered after the ACK of it, and keeps no other request waiting', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    store.shut();
    client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/finished.parse', '')] });
    for (let request = 1; request <= 6; request++)
      client.say({ type: 'seal', request, behind: 1, directory });
    client.say({ type: 'look', request: 7, digest: false, paths: [directory] });
    expect((await client.next('looked')).request).toBe(7);
    expect(client.inbox).toEqual([]);
    store.open();
    expect((await client.next('ack')).ranges).toEqual([{ first: 1, last: 1 }]);
    for (let request = 1; request <= 6; request++) await client.next('sealed');
  });

  it('does not wait for what comes later', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    await put(client, 'DC1/a');
    store.shut();
    client.say({ type: 'seal', request: 1, behind: 1, directory });
    client.say({ type: 'files', firstId: 2, files: [inlineFile('DC1/b', 'b')] });
    expect((await client.next('sealed')).request).toBe(1);
    store.open();
    await client.acknowledged(1);
  });

  it('fails where the file was refused, before and after it was asked for', async () => {
    const store = gatedStore();
    const refuse = () =>
      vi
        .spyOn(store.store, 'put')
        .mockRejectedValueOnce(new IsyncError('STORE_FULL', 'full', { retryable: true }));
    const sync = vi.spyOn(store.store, 'sync');
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    refuse();
    client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/finished.parse', '')] });
    await client.next('refused');
    client.say({ type: 'seal', request: 1, behind: 1, directory });
    expect(await client.next('failed')).toMatchObject({ request: 1, retryable: true });
    refuse();
    client.say({ type: 'files', firstId: 2, files: [inlineFile('DC1/finished.parse', '')] });
    client.say({ type: 'seal', request: 2, behind: 2, directory });
    await client.next('refused');
    expect(await client.next('failed')).toMatchObject({ request: 2, retryable: true });
    expect(sync).not.toHaveBeenCalled();
  });

  it('fails where the upload of the file was cancelled', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const client = await greet(url, 'edge1');
    const entry = { path: parseRelPath('DC1/finished.parse'), size: 5, mtimeUs: 1 };
    client.say({ type: 'open', id: 1, resume: false, entry });
    client.say({ type: 'cancel', id: 1, keep: false });
    client.say({ type: 'seal', request: 1, behind: 1, directory });
    expect(await client.next('failed')).toMatchObject({ request: 1, retryable: true });
  });

  it.each([
    ['that was never sent', 2],
    ['without its END', 1],
    ['of no id', 0],
  ])('a file %s is a broken rule', async (_, behind) => {
    const { url } = await receiverFor(gatedStore().store);
    const client = await greet(url, 'edge1');
    const entry = { path: parseRelPath('DC1/finished.parse'), size: 5, mtimeUs: 1 };
    client.say({ type: 'open', id: 1, resume: false, entry });
    client.say({ type: 'seal', request: 1, behind, directory });
    expect((await client.closed).code).toBe(4400);
  });
});

describe('a failed request', () => {
  it('says why, and frees its number', async () => {
    const store = gatedStore();
    const sync = vi.spyOn(store.store, 'sync');
    sync.mockRejectedValueOnce(new IsyncError('STORE_FAILED', 'the disk is gone', { retryable: true }));
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    client.say({ type: 'seal', request: 1, directory: parseRelPath('DC1') });
    expect(await client.next('failed')).toEqual({
      type: 'failed',
      request: 1,
      retryable: true,
      code: 'STORE_FAILED',
      message: 'the disk is gone',
    });
    client.say({ type: 'seal', request: 1, directory: parseRelPath('DC1') });
    expect(await client.next('sealed')).toEqual({ type: 'sealed', request: 1 });
    expect(sync).toHaveBeenLastCalledWith('edge1/DC1', { signal: expect.any(AbortSignal) });
  });
});

describe('a session that only reads', () => {
  it('may look and list, beside the one that writes', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const writer = await greet(url, 'edge1');
    const reader = await greet(url, 'edge1', { hello: { mode: 'read' } });
    await put(writer, 'DC1/a');
    expect(await listAll(reader, 1, '')).toEqual(['DC1/a']);
    reader.say({ type: 'look', request: 1, digest: false, paths: [parseRelPath('DC1/a')] });
    expect((await reader.next('looked')).files).toHaveLength(1);
  });
});
