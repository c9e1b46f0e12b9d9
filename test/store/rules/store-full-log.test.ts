import { expect, it } from 'vitest';
import { digestOf } from '../../../src/model/digest.ts';
import type { FileEntry } from '../../../src/model/file-entry.ts';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import { withStoreFullLog } from '../../../src/store/rules/store-full-log.ts';
import { withQuota } from '../../../src/store/rules/quota-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { createMemoryStore } from '../../../src/store/memory/memory-store.ts';
import { manyOutcomes, wholeFile } from '../../suites/store/files.ts';
import { gatedStore, receiverFor } from '../../receiver/fixtures.ts';
import { RecordingLog } from '../../recording-log.ts';
import { greet, inlineFile } from '../../receiver/wire-client.ts';

const MINUTE_MS = 60_000;
const QUOTA = 100;
const REFUSED = expect.objectContaining({ code: 'STORE_FULL' }) as Error;

let seconds = 0;

/** A version of its own time: one that got shorter in the same moment would be taken for damaged. */
function version(path: string, size: number): FileEntry {
  return { path: parseRelPath(path), size, mtimeUs: ++seconds * 1_000_000 };
}

function put(store: Store, path: string, size: number): Promise<void> {
  const bytes = Buffer.alloc(size);
  const digest = { algorithm: 'xxh64', value: digestOf('xxh64', bytes) } as const;
  return store.put(version(path, size), bytes, digest);
}

function logged() {
  const log = new RecordingLog();
  const clock = { nowMs: 0 };
  const store = withStoreFullLog(withQuota(createMemoryStore(), QUOTA), log, undefined, () => clock.nowMs);
  const lines = () =>
    log.lines.map(
      ({ level, fields }) => `${level} ${String(fields?.['device'])} ${String(fields?.['suppressed'])}`,
    );
  return { log, clock, store, lines };
}

it('tells that a device has no room, once with the limit, and again each hour with the count', async () => {
  const { log, clock, store, lines } = logged();
  await put(store, 'edge1/DC1/a', 80);
  for (let time = 0; time < 5; time++) await expect(put(store, 'edge1/DC1/b', 30)).rejects.toEqual(REFUSED);
  await put(store, 'edge2/DC1/a', 80);
  await put(store, 'edge1/DC1/small', 10);
  expect(lines()).toEqual(['warn edge1 0']);
  expect(log.lines[0]).toMatchObject({
    message: 'no room for files of a device',
    fields: { code: 'STORE_FULL', bytes: 30, reason: expect.stringContaining(`quota of ${QUOTA} bytes`) },
  });
  clock.nowMs += 60 * MINUTE_MS;
  await expect(put(store, 'edge1/DC1/b', 30)).rejects.toEqual(REFUSED);
  expect(lines()).toEqual(['warn edge1 0', 'warn edge1 4']);
});

it('tells of many files at once as of one after the other', async () => {
  const { clock, store, lines } = logged();
  const { outcome, codes } = manyOutcomes();
  const many = (names: readonly string[], size: number) =>
    names.map((name) => wholeFile(`edge1/DC1/${name}`, Buffer.alloc(size)));
  await store.putMany([...many(['a', 'b'], 40), ...many(['c', 'd'], 50)], outcome);
  expect(Object.values(codes()).toSorted()).toEqual(['STORE_FULL', 'STORE_FULL', 'kept', 'kept']);
  expect(lines()).toEqual(['warn edge1 0']);
  clock.nowMs += MINUTE_MS;
  for (const name of ['a', 'b', 'c', 'd']) await store.remove(parseRelPath(`edge1/DC1/${name}`));
  await store.putMany(many(['e'], 50), outcome);
  expect(lines()).toEqual(['warn edge1 0', 'info edge1 1']);
});

it('tells that there is room again, and not more than once a minute where that changes in turns', async () => {
  const { clock, store, lines } = logged();
  for (let turn = 0; turn < 5; turn++) {
    await put(store, 'edge1/DC1/a', 80);
    await expect(put(store, 'edge1/DC1/b', 30)).rejects.toEqual(REFUSED);
    await put(store, 'edge1/DC1/a', 10);
    await put(store, 'edge1/DC1/b', 30);
    await put(store, 'edge1/DC1/b', 0);
  }
  expect(lines()).toEqual(['warn edge1 0', 'info edge1 0']);
  clock.nowMs += MINUTE_MS;
  await put(store, 'edge1/DC1/a', 80);
  await expect(put(store, 'edge1/DC1/b', 30)).rejects.toEqual(REFUSED);
  expect(lines()).toEqual(['warn edge1 0', 'info edge1 0', 'warn edge1 0']);
});

it('watches uploads as well', async () => {
  const { store, lines } = logged();
  const begin = (path: string, size: number) =>
    store.begin(version(path, size), { algorithm: 'xxh64', resume: false });
  await put(store, 'edge1/DC1/a', 80);
  await expect(begin('edge1/DC1/b', 30)).rejects.toEqual(REFUSED);
  await put(store, 'edge1/DC1/a', 10);
  const upload = await begin('edge1/DC1/b', 30);
  await upload.write(Buffer.alloc(30));
  await upload.commit(digestOf('xxh64', Buffer.alloc(30)));
  expect(lines()).toEqual(['warn edge1 0', 'info edge1 0']);
});

it('is what a receiver does', async () => {
  const { url, log } = await receiverFor(withQuota(gatedStore().store, 5));
  const client = await greet(url, 'edge1');
  client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', '1234'), inlineFile('DC1/b', '12')] });
  await client.next('refused');
  expect(log.at('warn')).toMatchObject([
    { message: 'no room for files of a device', fields: { device: 'edge1' } },
  ]);
});
