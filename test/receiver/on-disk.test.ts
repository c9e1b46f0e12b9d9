import { randomBytes } from 'node:crypto';
import { readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { toMicroseconds } from '../../src/model/file-entry.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { receiverFor, temporaryFolder } from './fixtures.ts';
import { greet, inlineFile } from './wire-client.ts';

it('keeps files below the folder of their device, with their mtime and without the mark', async () => {
  const root = await temporaryFolder();
  await using store = await openFileStore(root);
  const { receiver, url } = await receiverFor(store);
  const client = await greet(url, 'edge1');
  const files = Array.from({ length: 200 }, (_, i) =>
    inlineFile(`DC1/sub/f${i}`, `content ${i}`, i * 1_000_000),
  );
  client.say({ type: 'files', firstId: 1, files });
  const large = randomBytes(2 * 1024 * 1024 + 1);
  client.upload(201, 'DC1/large', large);
  await client.acknowledged(201);
  client.say({ type: 'files', firstId: 202, files: [inlineFile('DC1/finished.parse', '')] });
  await client.acknowledged(1);
  client.say({ type: 'seal', request: 1, directory: parseRelPath('DC1') });
  await client.next('sealed');

  expect((await readdir(`${root}/edge1/DC1`)).toSorted()).toEqual(['finished.parse', 'large', 'sub']);
  expect(await readFile(`${root}/edge1/DC1/sub/f42`, 'utf8')).toBe('content 42');
  expect((await readFile(`${root}/edge1/DC1/large`)).equals(large)).toBe(true);
  const { mode, mtimeMs } = await stat(`${root}/edge1/DC1/sub/f42`);
  expect(mode & 0o777).toBe(0o644);
  expect(toMicroseconds(mtimeMs)).toBe(42_000_000);
  await receiver[Symbol.asyncDispose]();
});

it('resumes an upload after store and receiver were started again', async () => {
  const root = await temporaryFolder();
  const content = randomBytes(1_000_000);
  {
    await using store = await openFileStore(root);
    const { receiver, url } = await receiverFor(store);
    const client = await greet(url, 'edge1');
    client.open(1, 'DC1/a', content.length);
    client.chunks(1, content.subarray(0, 700_000));
    client.say({ type: 'look', request: 1, digest: false, paths: [] });
    await client.next('looked');
    await receiver[Symbol.asyncDispose]();
  }
  await using store = await openFileStore(root);
  const { receiver, url } = await receiverFor(store);
  const client = await greet(url, 'edge1');
  client.open(1, 'DC1/a', content.length, true);
  const { offset } = await client.next('offset');
  expect(offset).toBe(700_000);
  client.chunks(1, content, offset);
  client.say({ type: 'end', id: 1, digest: digestOf('xxh64', content) });
  await client.acknowledged(1);
  expect((await readFile(`${root}/edge1/DC1/a`)).equals(content)).toBe(true);
  await receiver[Symbol.asyncDispose]();
});

it('follows no symlink out of the store', async () => {
  const [root, outside] = [await temporaryFolder(), await temporaryFolder()];
  await writeFile(`${outside}/secret`, 'secret');
  await using store = await openFileStore(root);
  await symlink(outside, `${root}/edge1`);
  const { receiver, url } = await receiverFor(store);
  const client = await greet(url, 'edge1');
  client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'a')] });
  expect(await client.next('refused')).toMatchObject({ code: 'PATH_CONFLICT' });
  client.say({ type: 'look', request: 1, digest: true, paths: [parseRelPath('secret')] });
  expect((await client.next('looked')).files).toEqual([undefined]);
  expect(await readdir(outside)).toEqual(['secret']);
  await receiver[Symbol.asyncDispose]();
});
