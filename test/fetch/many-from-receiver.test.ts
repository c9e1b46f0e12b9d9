import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openTokenFile } from '../../src/access/token-file.ts';
import { addToken } from '../../src/access/tokens.ts';
import { openDestination } from '../../src/fetch/destination.ts';
import { FetchTally } from '../../src/fetch/fetch-tally.ts';
import { fetchFiles } from '../../src/fetch/fetch.ts';
import { openStoreReader } from '../../src/fetch/store-reader.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { openReceiverStore } from '../../src/sender/ws/receiver-store.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { RecordingLog } from '../recording-log.ts';
import { QUICK, receive, usingForTest } from '../sender/receiver-fixture.ts';
import { stage, write } from './fixture.ts';

const COUNT = 1000;
/** With these, answers are full by their bytes, by their files, and by neither. */
const MOST_BYTES = [10, 3_000, 60_000];

it.each([
  ['the thread pool', false],
  ['its own thread', true],
])('many small files come whole from a receiver whose store is read by %s', async (_, readsDirectly) => {
  const { base, source, back } = stage();
  const contents = new Map<string, Buffer>();
  for (let n = 0; n < COUNT; n++) {
    const most = MOST_BYTES[n % MOST_BYTES.length]!;
    const name = `DC${n % 7}/sub${n % 2}/file ${n}`;
    contents.set(name, randomBytes(Math.floor(Math.random() * most)));
    write(join(source, 'edge1', name), contents.get(name)!);
  }
  const path = join(base, 'tokens.json');
  const token = await addToken(path, 'edge1', 'read');
  const tokens = usingForTest(openTokenFile(path, new RecordingLog()));
  const store = usingForTest(await openFileStore(source, { readsDirectly }));
  const { url } = usingForTest(await receive(store, { tokens }));
  mkdirSync(join(back, 'DC0'));
  const kept = await openReceiverStore({ url, token, device: 'edge1', digest: 'xxh64', retry: QUICK });
  await using reader = await openStoreReader(kept, parseRelPath('edge1'), { filesAtOnce: 1024 });
  await using destination = await openDestination(back, { overwrite: false, source: undefined });
  const tally = new FetchTally();
  const failure = await fetchFiles({
    reader,
    into: destination.store,
    isWanted: () => true,
    overwrite: false,
    retry: { giveUpAfterMs: 0 },
    signal: new AbortController().signal,
    tally,
  });
  expect([failure, tally.problems, tally.files]).toEqual([undefined, [], COUNT]);
  for (const [name, content] of contents) expect(readFileSync(join(back, name)).equals(content)).toBe(true);
  expect(readdirSync(join(back, '.isync/staging')).filter((name) => name.startsWith('put-'))).toEqual([]);
});
