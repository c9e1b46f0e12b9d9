import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import { createStoreTarget } from '../../../src/sender/store-target/store-target.ts';
import { scan } from '../../../src/sender/scan/scan.ts';
import { newStoreId } from '../../../src/store/store-id.ts';
import { PATIENT, usingForTest } from '../receiver-fixture.ts';
import type { Target } from '../../../src/sender/target.ts';
import { bound, optionsFor } from '../scan-fixture.ts';
import { afterLook, age, DAY_MS, sealed } from './fixture.ts';

const AT_ONCE = { keepMs: 0, keepAtLeastMs: 0 };

describe('a directory goes', () => {
  test('whole, with its folders and markers, and is written down', async () => {
    const { root, run, lines, contents } = await sealed();
    const held = contents.files.size;
    const { summary, failure, expired } = await run();
    expect({ failure, expired }).toEqual({ failure: undefined, expired: ['DC1'] });
    expect(summary).toMatchObject({ files: 4, kept: [], left: 0, short: false });
    expect(readdirSync(root)).toEqual(['.isync']);
    expect(lines()).toMatchObject([{ name: 'DC1', files: 3, device: 'edge1', target: 'memory' }]);
    expect(contents.files.size).toBe(held);
  });

  test('by the age of its seal, the oldest first', async () => {
    const { run, has } = await sealed({ DC1: 8, DC2: 30, DC3: 3 });
    expect((await run({ keepMs: 7 * DAY_MS })).expired).toEqual(['DC2', 'DC1']);
    expect(has('DC3')).toBe(true);
  });

  test('for room, but not while it is younger than it must be', async () => {
    const { run, has } = await sealed({ DC1: 0.5, DC2: 2 });
    const { expired, summary } = await run({ keepMs: undefined, minFree: { bytes: 2 ** 52 } });
    expect(expired).toEqual(['DC2']);
    expect(summary.short).toBe(true);
    expect(has('DC1')).toBe(true);
  });

  test('no further than room is short: of a disk without any, as much as makes it', async () => {
    const { run } = await sealed({ DC1: 2, DC2: 3 });
    // Others write to the disk, too: between the two looks nothing may come of them.
    await vi.waitFor(async () => {
      const { summary } = await run({ dryRun: true });
      const minFree = { bytes: summary.freeBytes + 1 };
      expect((await run({ keepMs: undefined, minFree, dryRun: true })).expired).toEqual(['DC2']);
    }, 60_000);
  });

  test('as many as are allowed at a time', async () => {
    const { run } = await sealed({ DC1: 2, DC2: 3, DC3: 4 });
    const { expired, summary } = await run({ maxDelete: 2 });
    expect(expired).toEqual(['DC3', 'DC2']);
    expect(summary.left).toBe(1);
  });

  test('when files were deleted from it after the seal', async () => {
    const { run, at } = await sealed({ DC1: 0 });
    rmSync(at('DC1/sub'), { recursive: true });
    expect((await run(AT_ONCE)).expired).toEqual(['DC1']);
  });

  test('with hard links in it', async () => {
    const { run, at, root, target } = await sealed({});
    mkdirSync(at('DC1'));
    writeFileSync(at('DC1/a'), 'a');
    linkSync(at('DC1/a'), at('DC1/b'));
    writeFileSync(at('DC1/finished.parse'), '');
    await scan(optionsFor(root, target).options);
    age(at('DC1'), 2);
    expect((await run()).expired).toEqual(['DC1']);
  });

  test('not with --dry-run, which compares all the same', async () => {
    const { run, has, lines, rot } = await sealed({ DC1: 2, DC2: 3 });
    rot('DC2/a');
    const { expired, told } = await run({ dryRun: true });
    expect({ expired, told }).toEqual({ expired: ['DC1'], told: ['DIFFERENT DC2/a'] });
    expect([has('DC1'), has('DC2'), has('.isync'), lines()]).toEqual([true, true, false, []]);
  });
});

describe('a directory stays', () => {
  test('while it is not sealed', async () => {
    const { run, at, has } = await sealed();
    rmSync(at('DC1/finished.watch'));
    expect((await run()).summary).toMatchObject({ expired: [], kept: [] });
    expect(has('DC1/sub/b')).toBe(true);
  });

  test('when the target holds other content, and the others go', async () => {
    const { run, rot, has } = await sealed({ DC1: 3, DC2: 2 });
    rot('DC1/sub/b');
    const { expired, told } = await run();
    expect({ expired, told }).toEqual({ expired: ['DC2'], told: ['DIFFERENT DC1/sub/b'] });
    expect(has('DC1/a')).toBe(true);
  });

  test('when the time of a file or the marker of its parser differs at the target', async () => {
    const { run, at, contents } = await sealed({ DC1: 3, DC2: 2 });
    const where = parseRelPath('edge1/DC1/a');
    const file = contents.files.get(where);
    if (file !== undefined) contents.files.set(where, { ...file, entry: { ...file.entry, mtimeUs: 1 } });
    writeFileSync(at('DC2/finished.parse'), 'later');
    expect((await run()).told.toSorted()).toEqual(['DIFFERENT DC1/a', 'DIFFERENT DC2/finished.parse']);
  });

  test('when its marker is that of another directory, or says nothing', async () => {
    const { run, at, has } = await sealed({ DC1: 3 });
    cpSync(at('DC1'), at('DC2'), { recursive: true, preserveTimestamps: true });
    cpSync(at('DC1'), at('DC3'), { recursive: true, preserveTimestamps: true });
    writeFileSync(at('DC3/finished.watch'), '');
    utimesSync(at('DC3/finished.watch'), 1, 1);
    const { expired, told } = await run();
    expect(expired).toEqual(['DC1']);
    expect(told.toSorted()).toEqual(['NOT_EXPIRED DC2', 'NOT_EXPIRED DC3']);
    expect(has('DC2/a')).toBe(true);
  });

  test.each([
    ['open', (path: string) => closeLater(openSync(`${path}/sub/b`, 'r')), 'DC1/sub/b'],
    ['a folder that is open', (path: string) => closeLater(openSync(`${path}/sub`, 'r')), 'DC1/sub'],
    ['newer', (path: string) => writeFileSync(`${path}/sub/late`, 'x'), 'DC1/sub/late'],
    ['left alone', (path: string) => writeFileSync(`${path}/x.tmp`, 'x'), 'DC1/x.tmp'],
    ['a symlink', (path: string) => symlinkSync('a', `${path}/link`), 'DC1/link'],
  ])('while it holds something %s', async (_, make, path) => {
    const { run, at, has, root } = await sealed();
    make(at('DC1'));
    const { expired, told } = await run();
    expect({ expired, told }).toEqual({ expired: [], told: [`NOT_EXPIRED ${path}`] });
    expect([has('DC1/a'), readdirSync(root).includes('DC1')]).toEqual([true, true]);
  });

  test.each([
    ['written to', (path: string) => appendFileSync(`${path}/a`, 'more')],
    ['given a file', (path: string) => writeFileSync(`${path}/sub/new`, 'new')],
    ['given an old file', (path: string) => renameSync(`${path}/../old`, `${path}/sub/old`)],
    ['told to be looked into again', (path: string) => rmSync(`${path}/finished.watch`)],
    ['opened', (path: string) => closeLater(openSync(`${path}/c`, 'r'))],
  ])('when it is %s while it is compared', async (_, change) => {
    const { run, at, has, target, root } = await sealed();
    writeFileSync(at('old'), 'old');
    const { expired, kept } = await run({ target: afterLook(target, () => change(at('DC1'))) });
    expect(expired).toEqual([]);
    expect(kept).toMatchObject([{ code: expect.stringMatching(/^(NOT_EXPIRED|FILE_CHANGED)$/) }]);
    expect([has('DC1/a'), has('DC1/sub/b'), has('DC1/c'), has('DC1/finished.parse')]).not.toContain(false);
    expect(readdirSync(root).filter((name) => name.startsWith('.isync-'))).toEqual([]);
  });

  test('when another one takes its place while it is compared', async () => {
    const { run, at, has, target } = await sealed();
    const exchange = () => {
      renameSync(at('DC1'), at('elsewhere'));
      mkdirSync(at('DC1'));
      writeFileSync(at('DC1/of another'), '');
    };
    expect((await run({ target: afterLook(target, exchange) })).kept).toHaveLength(1);
    expect([has('DC1/of another'), has('elsewhere/sub/b')]).toEqual([true, true]);
  });

  test('when it is the newest, while another one is neither closed nor sealed', async () => {
    const { run, at, write, has } = await sealed({ DC1: 3, DC9: 2 });
    write('DC2/a');
    expect((await run({ newest: 'name' })).expired).toEqual(['DC1']);
    expect(has('DC9/a')).toBe(true);
    rmSync(at('DC2'), { recursive: true });
    expect((await run()).expired).toEqual(['DC9']);
  });

  test('when its name is too long to be set aside', async () => {
    const name = 'D'.repeat(250);
    const { run, has } = await sealed({ [name]: 3 });
    expect((await run()).kept).toMatchObject([{ code: 'NOT_EXPIRED', path: name }]);
    expect(has(`${name}/sub/b`)).toBe(true);
  });
});

describe('the run ends at once', () => {
  test.each(['DC1/sub/b', 'DC1/finished.parse'])('when the target does not have %s', async (path) => {
    const { run, lose, has } = await sealed({ DC1: 3, DC2: 2 });
    lose(path);
    const { expired, failure } = await run();
    expect(failure).toMatchObject({ code: 'EXPIRE_STOPPED', path });
    expect({ expired, stays: has('DC2/a') && has('DC1/a') }).toEqual({ expired: [], stays: true });
  });

  test('when another store is at the target, or takes its place while files are read', async () => {
    const { run, contents, target, has } = await sealed({ DC1: 3 });
    const { id } = contents;
    contents.id = newStoreId();
    expect((await run()).failure).toMatchObject({ code: 'OTHER_STORE', path: 'DC1' });
    contents.id = id;
    const swap = afterLook(target, () => undefined);
    const swapped = {
      ...swap,
      look: async (...args: Parameters<typeof swap.look>) => {
        contents.id = newStoreId();
        return await target.look(...args);
      },
    };
    expect((await run({ target: swapped })).failure).toMatchObject({ code: 'OTHER_STORE' });
    expect(has('DC1/sub/b')).toBe(true);
  });

  test('when the files were sent as another device', async () => {
    const { run, store, has } = await sealed();
    const options = { device: 'edge2', digest: 'xxh64', retry: PATIENT } as const;
    const target = usingForTest(createStoreTarget(store, options));
    expect((await run({ target })).failure).toMatchObject({ code: 'OTHER_STORE' });
    expect(has('DC1/a')).toBe(true);
  });

  test('when the signal fires, with the directory in its place', async () => {
    const { run, target, has } = await sealed();
    const stop = new AbortController();
    const stopping = afterLook(target, () => stop.abort());
    const { expired, failure } = await run({ target: stopping, signal: stop.signal });
    expect({ expired, failure }).toEqual({ expired: [], failure: undefined });
    expect(has('DC1/sub/b')).toBe(true);
  });
});

describe('a run that was interrupted', () => {
  test('is gone on with: what was set aside has its name again, and goes', async () => {
    const { run, at, root } = await sealed({ DC1: 0 });
    renameSync(at('DC1'), at('.isync-expire-DC1'));
    rmSync(at('.isync-expire-DC1/sub'), { recursive: true });
    const { expired, log } = await run(AT_ONCE);
    expect(expired).toEqual(['DC1']);
    expect(log.lines).toContainEqual(expect.objectContaining({ fields: { path: 'DC1' } }));
    expect(readdirSync(root)).toEqual(['.isync']);
  });

  test('puts back what is not due any more', async () => {
    const { run, at, has } = await sealed();
    renameSync(at('DC1'), at('.isync-expire-DC1'));
    expect((await run({ keepMs: 30 * DAY_MS })).expired).toEqual([]);
    expect(has('DC1/sub/b')).toBe(true);
  });

  test('leaves aside, and tells of, what an earlier one left there when the parser has made the name anew', async () => {
    const { run, at, write, has } = await sealed();
    renameSync(at('DC1'), at('.isync-expire-DC1'));
    write('DC1/new');
    const { expired, told } = await run();
    expect({ expired, told }).toEqual({ expired: [], told: ['NOT_EXPIRED .isync-expire-DC1'] });
    expect([has('.isync-expire-DC1/a'), has('DC1/new')]).toEqual([true, true]);
  });

  test('is over for a directory of which only the folder was left', async () => {
    const { run, at, root } = await sealed();
    rmSync(at('DC1'), { recursive: true });
    mkdirSync(at('.isync-expire-DC1'));
    await run().catch(() => undefined);
    expect(readdirSync(root).filter((name) => name.startsWith('.isync-expire'))).toEqual([]);
  });
});

describe('nothing goes', () => {
  test('of a root that is its own target, by another path', async () => {
    const { run, at, has, target } = await sealed();
    // It has under a name what is here under that name.
    const self: Target = {
      ...bound(target),
      look: async (paths, options) => {
        const records = await target.look(paths, options);
        return paths.map((path, index) => (existsSync(at(path)) ? records[index] : undefined));
      },
    };
    const { failure, expired } = await run({ target: self });
    expect(failure).toMatchObject({ code: 'EXPIRE_STOPPED' });
    expect([expired, has('DC1/a'), has('DC1/sub/b')]).toEqual([[], true, true]);
  });

  test('of a directory that the parser makes again meanwhile', async () => {
    const { run, at, has, target } = await sealed();
    const again: Target = {
      ...bound(target),
      look: async (paths, options) => {
        if (!existsSync(at('DC1'))) mkdirSync(at('DC1'));
        return await target.look(paths, options);
      },
    };
    const { expired, kept } = await run({ target: again });
    expect(expired).toEqual([]);
    expect(kept).toMatchObject([{ code: 'NOT_EXPIRED' }]);
    expect([has('.isync-expire-DC1/a'), has('.isync-expire-DC1/sub/b')]).toEqual([true, true]);
  });

  test('of a directory in which a process works', async () => {
    const { run, at, has } = await sealed();
    const worker = spawn('sleep', ['600'], { cwd: at('DC1/sub'), stdio: 'ignore' });
    await once(worker, 'spawn');
    try {
      expect((await run()).kept).toMatchObject([
        { code: 'NOT_EXPIRED', message: expect.stringContaining('working directory') },
      ]);
      expect(has('DC1/sub/b')).toBe(true);
    } finally {
      worker.kill('SIGKILL');
    }
  });

  test('of a directory that holds what a scan had left alone', async () => {
    const { run, at, has } = await sealed();
    writeFileSync(at('DC1/old.log'), 'never sent');
    utimesSync(at('DC1/old.log'), 1, 1);
    const { failure, kept } = await run();
    expect(failure).toBeUndefined();
    expect(kept).toHaveLength(1);
    expect(has('DC1/old.log')).toBe(true);
  });
});

test('a root that is a symlink is expired as what it leads to', async () => {
  const { run, at, root, has } = await sealed();
  const link = `${root}-link`;
  symlinkSync(root, link);
  usingForTest({ [Symbol.dispose]: () => rmSync(link) });
  const { failure, expired } = await run({ root: link });
  expect({ failure, expired }).toEqual({ failure: undefined, expired: ['DC1'] });
  expect([has('DC1'), existsSync(at('.isync-expire-DC1'))]).toEqual([false, false]);
});

test('a second run on the same root is refused', async () => {
  const { run, target } = await sealed();
  let second: Promise<unknown> = Promise.resolve();
  const target2 = afterLook(target, () => {
    second = run().catch((error: unknown) => error);
  });
  expect((await run({ target: target2 })).expired).toEqual(['DC1']);
  expect(await second).toMatchObject({ code: 'BUSY' });
});

test('a root that may not be written to is told before anything is compared', async () => {
  const { run, root } = await sealed();
  if (process.getuid?.() === 0) return;
  chmodSync(root, 0o555);
  await expect(run()).rejects.toMatchObject({ code: 'READ_ONLY' });
  chmodSync(root, 0o755);
});

function closeLater(fd: number): void {
  usingForTest({ [Symbol.dispose]: () => closeSync(fd) });
}
