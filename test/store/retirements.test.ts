import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import type { LocalStore } from '../../src/store/file/local-store.ts';
import type { RetireSpec, SealedDirectory, StoreRetirements } from '../../src/store/store-retirements.ts';
import { useStoreFolder } from './folder.ts';

const folder = useStoreFolder();
const DIRECTORY = parseRelPath('edge1/DC1');
/** Of a look some days from now. */
const LATER: RetireSpec = { notAfterMs: Date.now() + 86_400_000, objection: () => undefined };

async function put(store: LocalStore, ...paths: string[]): Promise<void> {
  for (const path of paths) {
    const bytes = Buffer.from(path);
    const file = { path: parseRelPath(path), size: bytes.length, mtimeUs: 1_000_000 };
    await store.put(file, bytes, { algorithm: 'xxh64', value: digestOf('xxh64', bytes) });
  }
}

/** A store with a sealed directory. */
async function sealedStore() {
  const store = await folder.open({ recordSeals: true });
  await put(store, 'edge1/DC1/a', 'edge1/DC1/sub/b');
  await store.sync(DIRECTORY);
  const retirements = retirementsOf(store);
  return { store, retirements, sealed: await only(retirements) };
}

function retirementsOf({ retirements }: LocalStore): StoreRetirements {
  if (retirements === undefined) throw new Error('a folder retires directories');
  return retirements;
}

async function allSealed(retirements: StoreRetirements): Promise<SealedDirectory[]> {
  const found: SealedDirectory[] = [];
  for (const device of retirements.devices())
    for await (const directory of retirements.sealedOf(device)) found.push(directory);
  return found;
}

async function only(retirements: StoreRetirements): Promise<SealedDirectory> {
  const [sealed] = await allSealed(retirements);
  if (sealed === undefined) throw new Error('nothing is sealed');
  return sealed;
}

const at = (path: string): string => join(folder.root, path);
const leftIn = (name: string): string[] => {
  const path = at(`.isync/${name}/edge1`);
  return existsSync(path) ? readdirSync(path) : [];
};
const dealt = () => {
  const done: string[] = [];
  const stuck: unknown[] = [];
  const options = {
    onDone: (path: string) => void done.push(path),
    onStuck: (_path: string, error: unknown) => void stuck.push(error),
  };
  return { done, stuck, options };
};

describe('a directory counts as sealed', () => {
  it('by what was written down of it, or by the marker of its parser', async () => {
    const { store, retirements } = await sealedStore();
    await put(store, 'edge1/DC2/finished.parse', 'edge1/open/a', 'edge2/DC1/sub/finished.parse');
    expect((await allSealed(retirements)).map(({ path }) => path).toSorted()).toEqual([
      'edge1/DC1',
      'edge1/DC2',
    ]);
  });

  it('no more once another one has its name', async () => {
    const { store, retirements } = await sealedStore();
    renameSync(at('edge1/DC1'), at('elsewhere'));
    await put(store, 'edge1/DC1/a');
    expect(await allSealed(retirements)).toEqual([]);
  });

  it('by its last seal, also of a process that writes none down of others', async () => {
    const { store, sealed } = await sealedStore();
    await store[Symbol.asyncDispose]();
    const later = await folder.open({});
    await later.sync(DIRECTORY);
    expect((await only(retirementsOf(later))).sealedMs).toBeGreaterThan(sealed.sealedMs);
  });

  it('not where seals are not written down, and nothing is then', async () => {
    const store = await folder.open();
    await put(store, 'edge1/DC1/a');
    await store.sync(DIRECTORY);
    expect(await allSealed(retirementsOf(store))).toEqual([]);
    expect(existsSync(at('.isync/retention'))).toBe(false);
  });
});

describe('a directory is retired', () => {
  it('whole, durably, and is known as such until it is sealed again', async () => {
    const { store, retirements, sealed } = await sealedStore();
    expect(await retirements.retiredAt(DIRECTORY)).toBeUndefined();
    const before = Date.now();
    expect(await retirements.retire(sealed, LATER)).toEqual({ outcome: 'retired', files: 2, bytes: 26 });
    expect(readdirSync(at('edge1'))).toEqual([]);
    expect([leftIn('retiring'), leftIn('retired')]).toEqual([[], []]);
    expect(await retirements.retiredAt(DIRECTORY)).toBeGreaterThanOrEqual(before);
    const reader = await folder.open({ readOnly: true });
    expect(await retirementsOf(reader).retiredAt(DIRECTORY)).toBeGreaterThanOrEqual(before);

    await put(store, 'edge1/DC1/a');
    expect(await retirements.retiredAt(DIRECTORY)).toBeGreaterThanOrEqual(before);
    // Also by a process that keeps all.
    await (await folder.open()).sync(DIRECTORY);
    expect(await retirements.retiredAt(DIRECTORY)).toBeUndefined();
  });

  it('only where nothing in it is younger', async () => {
    const { retirements, sealed } = await sealedStore();
    const { ctimeMs } = statSync(at('edge1/DC1/sub/b'));
    const younger = await retirements.retire(sealed, { ...LATER, notAfterMs: ctimeMs });
    expect(younger).toEqual({ outcome: 'younger', lastChangeMs: ctimeMs });
    expect(await retirements.retiredAt(DIRECTORY)).toBeUndefined();
    expect(existsSync(at('edge1/DC1/a'))).toBe(true);
  });

  it('not where it is objected to at the last moment', async () => {
    const { retirements, sealed } = await sealedStore();
    const kept = await retirements.retire(sealed, { ...LATER, objection: () => 'it is in use' });
    expect(kept).toEqual({ outcome: 'stays', why: 'it is in use' });
    expect(await retirements.retiredAt(DIRECTORY)).toBeUndefined();
    expect(await only(retirements)).toMatchObject({ path: DIRECTORY });
  });

  it('not with anything in it that is no file of ours', async () => {
    const { retirements, sealed } = await sealedStore();
    symlinkSync(folder.outside, at('edge1/DC1/link'));
    writeFileSync(join(folder.outside, 'bystander'), '');
    const why = '"link" is no regular file';
    expect(await retirements.retire(sealed, LATER)).toEqual({ outcome: 'stays', why });
    expect(readdirSync(folder.outside)).toEqual(['bystander']);
  });

  it('not where another one has taken its place', async () => {
    const { store, retirements, sealed } = await sealedStore();
    renameSync(at('edge1/DC1'), at('elsewhere'));
    await put(store, 'edge1/DC1/new');
    expect(await retirements.retire(sealed, LATER)).toMatchObject({ outcome: 'stays' });
    expect(readdirSync(at('edge1/DC1'))).toEqual(['new']);
  });

  it('put back where a file came in as it went', async () => {
    const { retirements, sealed } = await sealedStore();
    const late = () => {
      // By another process, between the first look and the last one.
      writeFileSync(at('edge1/DC1/late'), '');
      return undefined;
    };
    const kept = await retirements.retire(sealed, { ...LATER, objection: late });
    expect(kept).toEqual({ outcome: 'stays', why: 'something in it has changed meanwhile' });
    expect(readdirSync(at('edge1/DC1')).toSorted()).toEqual(['a', 'late', 'sub']);
    expect([leftIn('retiring'), await retirements.retiredAt(DIRECTORY)]).toEqual([[], undefined]);
  });
});

it('a directory is put back at once where its receiver ends as it is looked at', async () => {
  const { retirements, sealed } = await sealedStore();
  const ending = new AbortController();
  const objection = () => {
    ending.abort();
    // Each look at the clock finds that others must have their turn.
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 1000));
    return undefined;
  };
  await expect(retirements.retire(sealed, { ...LATER, objection, signal: ending.signal })).rejects.toThrow(
    'aborted',
  );
  expect(readdirSync(at('edge1/DC1')).toSorted()).toEqual(['a', 'sub']);
  expect([leftIn('retiring'), await retirements.retiredAt(DIRECTORY)]).toEqual([[], undefined]);
});

it('a directory that is in its place was not retired, whatever is written down', async () => {
  const { retirements } = await sealedStore();
  const record = at('.isync/retention/edge1/DC1');
  const told: object = JSON.parse(readFileSync(record, 'utf8'));
  writeFileSync(record, JSON.stringify({ ...told, retired: { atMs: 1000, files: 2, bytes: 26 } }));
  expect(await retirements.retiredAt(DIRECTORY)).toBeUndefined();
  renameSync(at('edge1/DC1'), at('elsewhere'));
  expect(await retirements.retiredAt(DIRECTORY)).toBe(1000);
});

describe('what an interrupted process has left', () => {
  /** As the end of a process leaves it: written down, and renamed. */
  async function interrupted(as: 'retiring' | 'retired') {
    const { retirements, sealed } = await sealedStore();
    await retirements.retire(sealed, LATER);
    const store = await folder.open();
    await put(store, 'edge1/DC1/a', 'edge1/DC1/sub/b');
    mkdirSync(at(`.isync/${as}/edge1`), { recursive: true });
    renameSync(at('edge1/DC1'), at(`.isync/${as}/edge1/DC1`));
    return { retirements, store };
  }

  it('goes on to go where it was looked at to the end', async () => {
    const { retirements } = await interrupted('retired');
    const { done, stuck, options } = dealt();
    await retirements.putBack(options);
    expect(leftIn('retired')).toEqual(['DC1']);
    await retirements.finish(options);
    expect({ done, stuck, left: leftIn('retired') }).toEqual({ done: [DIRECTORY], stuck: [], left: [] });
    expect(await retirements.retiredAt(DIRECTORY)).toBeDefined();
  });

  it('is told of also where there had been no room to write it down', async () => {
    const { retirements } = await interrupted('retired');
    rmSync(at('.isync/retention/edge1/DC1'));
    expect(retirements.hasLeft()).toBe(true);
    await retirements.finish(dealt().options);
    expect(await retirements.retiredAt(DIRECTORY)).toBeDefined();
    expect(retirements.hasLeft()).toBe(false);
  });

  it('is put back where it was not, and was not retired then', async () => {
    const { retirements } = await interrupted('retiring');
    const { done, stuck, options } = dealt();
    await retirements.putBack(options);
    expect({ done, stuck }).toEqual({ done: [DIRECTORY], stuck: [] });
    expect(readFileSync(at('edge1/DC1/sub/b'), 'utf8')).toBe('edge1/DC1/sub/b');
    expect(await retirements.retiredAt(DIRECTORY)).toBeUndefined();
  });

  it('is put back also where the folder of its device has gone', async () => {
    const { retirements } = await interrupted('retiring');
    renameSync(at('edge1'), at('elsewhere'));
    await retirements.putBack(dealt().options);
    expect(existsSync(at('edge1/DC1/a'))).toBe(true);
  });

  it('stays, and is told, where another directory has its name by now', async () => {
    const { retirements, store } = await interrupted('retiring');
    await put(store, 'edge1/DC1/new');
    const { done, stuck, options } = dealt();
    await retirements.putBack(options);
    expect(done).toEqual([]);
    expect(stuck).toMatchObject([
      { code: 'PATH_CONFLICT', hint: expect.stringContaining('.isync/retiring/edge1/DC1') },
    ]);
    expect(leftIn('retiring')).toEqual(['DC1']);
    expect(readdirSync(at('edge1/DC1'))).toEqual(['new']);
  });

  it('is seen by nobody who lists or reads the store', async () => {
    const { store } = await interrupted('retiring');
    const seen: string[] = [];
    for await (const { path } of store.list('')) seen.push(path);
    expect(seen).toEqual([]);
    expect(await store.stat(parseRelPath('.isync/retiring/edge1/DC1/a'))).toBeUndefined();
    await expect(put(store, '.isync/retiring/edge1/DC1/new')).rejects.toMatchObject({ code: 'BAD_PATH' });
  });
});

it('a damaged record says nothing', async () => {
  const { retirements, sealed } = await sealedStore();
  await retirements.retire(sealed, LATER);
  const record = at('.isync/retention/edge1/DC1');
  for (const text of ['', '{', 'null', '{"sealedMs":1}', '{"sealedMs":-1,"inode":1,"bornMs":1}']) {
    chmodSync(record, 0o600);
    writeFileSync(record, text);
    expect(await retirements.retiredAt(DIRECTORY)).toBeUndefined();
  }
});
