/** Stores that lose, below a target that goes on, what it has confirmed. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, expect, test, vi } from 'vitest';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { createStoreTarget } from '../../src/sender/store-target/store-target.ts';
import { scan } from '../../src/sender/scan/scan.ts';
import type { Target } from '../../src/sender/target.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { PATIENT, QUICK, receive, send, usingForTest } from './receiver-fixture.ts';
import { bound, follow, isMarked, OLD_SECONDS, optionsFor, setup } from './scan-fixture.ts';

const FILES = ['DC1/a', 'DC1/b', 'DC1/sub/c'];
const LOST = 'files that the target had confirmed are gone there, or of another size: sent again';

interface Emptied {
  readonly store: Store;
  readonly target: Target;
  readonly empty: () => void;
}

const KINDS: readonly (readonly [string, () => Promise<Emptied>])[] = [
  [
    'a receiver’s folder',
    async () => {
      const { store, empty } = await folderStore();
      const receiver = usingForTest(await receive(store));
      return { store, empty, target: usingForTest(send(receiver.url, QUICK)) };
    },
  ],
  [
    'a folder',
    async () => {
      const { store, empty } = await folderStore();
      return { store, empty, target: local(store) };
    },
  ],
  [
    'a bucket',
    async () => {
      const contents = createMemoryContents();
      const store = usingForTest(createMemoryStore(contents, { like: 'bucket' }));
      return { store, target: local(store), empty: () => contents.files.clear() };
    },
  ],
];

test.each(KINDS)('%s that was emptied has all again before the seal', async (_, kind) => {
  const { root, at, write } = setup();
  const { store, target, empty } = await kind();
  for (const file of FILES) write(file);
  const { log, problems } = follow(root, target);
  await vi.waitFor(() => expect(FILES.every((file) => isMarked(at(file)))).toBe(true), 60_000);
  empty();
  write('DC1/finished.parse');
  await vi.waitFor(() => expect(existsSync(at('DC1/finished.watch'))).toBe(true), 60_000);
  for (const file of [...FILES, 'DC1/finished.parse'])
    expect(await store.stat(parseRelPath(`edge1/${file}`))).toMatchObject({ path: `edge1/${file}` });
  expect(problems).toEqual([]);
  expect(log.messages.filter((message) => message === LOST)).toHaveLength(1);
});

test('what lands while the target lists what it has is not gone there', async () => {
  const { root, at, write, target } = setup();
  write('DC1/a');
  await scan(optionsFor(root, target).options);
  const put = vi.spyOn(target, 'put');
  const list = target.list.bind(target);
  const asked = vi.spyOn(target, 'list').mockImplementationOnce(async function* (...of) {
    const told = [];
    for await (const entry of list(...of)) told.push(entry);
    write('DC1/b');
    await vi.waitFor(() => expect(isMarked(at('DC1/b'))).toBe(true), 60_000);
    yield* told;
  });
  const { log } = follow(root, target);
  await vi.waitFor(() => expect(asked).toHaveBeenCalled(), 60_000);
  write('DC1/finished.parse');
  await vi.waitFor(() => expect(existsSync(at('DC1/finished.watch'))).toBe(true), 60_000);
  expect(put.mock.calls.map(([file]) => file.entry.path)).toEqual(['DC1/b', 'DC1/finished.parse']);
  expect(log.messages).not.toContain(LOST);
});

test('with --marks trust what this scan has sent and the target has lost is sent as well', async () => {
  const { root, at, write } = setup();
  const contents = createMemoryContents();
  const store = usingForTest(createMemoryStore(contents));
  for (const file of FILES) write(file);
  const { problems } = follow(root, local(store), { marks: 'trust' });
  await vi.waitFor(() => expect(FILES.every((file) => isMarked(at(file)))).toBe(true), 60_000);
  contents.files.clear();
  write('DC1/finished.parse');
  await vi.waitFor(() => expect(existsSync(at('DC1/finished.watch'))).toBe(true), 60_000);
  expect(await store.stat(parseRelPath('edge1/DC1/a'))).toBeDefined();
  expect(problems).toEqual([]);
});

test('what was sent is not asked about file by file, and not sent again where the target rounds times', async () => {
  const counts = { put: 0, look: 0 };
  for (const listedMtime of [true, false]) {
    const { root, write } = setup();
    const target = local(usingForTest(createMemoryStore()));
    const rounding: Target = {
      ...bound(target),
      identify: async (options) => ({ ...(await target.identify(options)), listedMtime }),
      async *list(prefix, options) {
        for await (const entry of target.list(prefix, options)) yield { ...entry, mtimeUs: 2_000_000 };
      },
      put: async (file, options) => (counts.put++, await target.put(file, options)),
      look: async (paths, options) => (counts.look++, await target.look(paths, options)),
    };
    for (const file of ['a', 'b', 'finished.parse']) write(`DC1/${file}`);
    const { summary } = await scan(optionsFor(root, rounding).options);
    expect(summary.directories).toMatchObject([{ sealed: true }]);
  }
  expect(counts).toEqual({ put: 4, look: 0 });
});

test('a version that comes back is sent again, though it was confirmed once', async () => {
  const { root, target, at, write, store } = setup();
  write('DC1/a', 'one');
  utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
  follow(root, target, { settleMs: 20 });
  await vi.waitFor(() => expect(isMarked(at('DC1/a'))).toBe(true), 60_000);
  write('DC1/a', 'two');
  utimesSync(at('DC1/a'), OLD_SECONDS + 1, OLD_SECONDS + 1);
  chmodSync(at('DC1/a'), 0o644);
  const kept = async () => (await store.stat(parseRelPath('edge1/DC1/a')))?.mtimeUs;
  await vi.waitFor(async () => expect(await kept()).toBe((OLD_SECONDS + 1) * 1e6), 60_000);
  await vi.waitFor(() => expect(isMarked(at('DC1/a'))).toBe(true), 60_000);
  write('DC1/a', 'one');
  utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
  write('DC1/finished.parse');
  await vi.waitFor(() => expect(existsSync(at('DC1/finished.watch'))).toBe(true), 60_000);
  expect(await kept()).toBe(OLD_SECONDS * 1e6);
});

test('a target that confirms files and does not list them gets them a few times only', async () => {
  const { root, target, write } = setup();
  write('DC1/a');
  write('DC1/finished.parse');
  let puts = 0;
  const forgetful: Target = {
    ...bound(target),
    async *list() {},
    put: async (file, options) => (puts++, await target.put(file, options)),
  };
  const { summary } = await scan(optionsFor(root, forgetful).options);
  expect(summary.problems).toMatchObject([{ path: 'DC1', code: 'DIFFERENT' }]);
  expect(summary.directories).toMatchObject([{ sealed: false }]);
  expect(puts).toBeLessThanOrEqual(6);
});

async function folderStore() {
  const folder = mkdtempSync(join(tmpdir(), 'isync-emptied-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const empty = (): void => {
    for (const name of readdirSync(folder))
      if (!name.startsWith('.')) rmSync(join(folder, name), { recursive: true });
  };
  return { store: usingForTest(await openFileStore(folder)), empty };
}

function local(store: Store): Target {
  return usingForTest(createStoreTarget(store, { device: 'edge1', digest: 'xxh64', retry: PATIENT }));
}
