import { expect, it, onTestFinished } from 'vitest';
import { startS3Front } from '../../../harness/s3-front.ts';
import { withS3Server } from '../../../harness/s3-server.ts';
import { digestOf } from '../../../src/model/digest.ts';
import { fileAt, xxh64 } from '../../suites/store/files.ts';
import { openStoreAt } from './stores.ts';

await withS3Server((server) => {
  it.each([
    ['none for a file written just now', 'content', 0, {}, 0],
    ['one for an older file', 'content', 60_000, {}, 1],
    ['one for a file of the future', 'content', -60_000, {}, 1],
    ['one for nothing but zeros, however new', '\0'.repeat(7), 0, {}, 1],
    ['none where damaged ones may replace', 'content', 60_000, { replaceDamaged: true }, 0],
  ] as const)('a small file costs a look at what it replaces: %s', async (_, text, ageMs, options, looks) => {
    const front = await startS3Front(server.endpoint);
    const store = await openStoreAt(server, { bucket: await server.makeBucket(), endpoint: front.endpoint });
    onTestFinished(async () => {
      await store[Symbol.asyncDispose]();
      await front[Symbol.asyncDispose]();
    });
    const file = fileAt('edge1/DC1/a', text.length, (Date.now() - ageMs) * 1000);
    await store.put(file, Buffer.from(text), xxh64(text), options);
    const methods = front.asked.map(({ method }) => method);
    expect(methods.filter((method) => method === 'HEAD')).toHaveLength(looks);
    expect(methods.filter((method) => method === 'PUT')).toHaveLength(1);
  });

  it.each([
    ['none for a file written just now', 0, 0],
    ['two for an older file', 60_000, 2],
  ])('an upload of one request costs looks, when it begins and ends: %s', async (_, ageMs, looks) => {
    const front = await startS3Front(server.endpoint);
    const store = await openStoreAt(server, { bucket: await server.makeBucket(), endpoint: front.endpoint });
    onTestFinished(async () => {
      await store[Symbol.asyncDispose]();
      await front[Symbol.asyncDispose]();
    });
    const content = Buffer.alloc(100_000, 'content');
    const file = fileAt('edge1/DC1/a', content.length, (Date.now() - ageMs) * 1000);
    const upload = await store.begin(file, { algorithm: 'xxh64', resume: true });
    await upload.write(content);
    await upload.commit(digestOf('xxh64', content));
    expect(front.asked.filter(({ method }) => method === 'HEAD')).toHaveLength(looks);
  });
});
