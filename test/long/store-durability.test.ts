import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { linkTo, renameTo, syncedBetween, syncsOf, useSystemCalls } from '../store/system-calls.ts';

/** The order of system calls is all that a test can see of durability short of cutting the power. */

const { folder, trace, marksIn, expectDurableBefore } = useSystemCalls();

describe('the order of system calls', () => {
  it('of put: sync the file, rename it, sync its folder and those above that are new', (context) => {
    const calls = trace(
      context,
      `await putBytes(store, 'a/b/f', 'x');
       mark('first');
       await putBytes(store, 'a/b/g', 'x');
       mark('second');`,
    );
    const renamed = expectDurableBefore(calls, 'a/b/f', 'first');
    const first = renameTo(calls, join(folder.outside, 'first'));
    for (const above of ['', 'a'])
      expect(syncedBetween(calls, join(folder.root, above), renamed, first)).toBe(true);
    expectDurableBefore(calls, 'a/b/g', 'second');
    const second = renameTo(calls, join(folder.outside, 'second'));
    for (const above of ['', 'a'])
      expect(syncedBetween(calls, join(folder.root, above), first, second)).toBe(false);
  });

  it('of an upload: the same', (context) => {
    const calls = trace(context, `await finish(await begin(store)); mark('done');`);
    const renamed = expectDurableBefore(calls, 'dev/DC1/large', 'done');
    const done = renameTo(calls, join(folder.outside, 'done'));
    for (const above of ['', 'dev'])
      expect(syncedBetween(calls, join(folder.root, above), renamed, done)).toBe(true);
  });

  it('of a resume: what is told to be here has been synced', (context) => {
    const calls = trace(
      context,
      `const upload = await begin(store);
       await upload.write(CONTENT.subarray(0, 1000));
       await upload.suspend();
       mark('suspended');
       const { offset } = await begin(store);
       mark('offset' + offset);`,
    );
    const suspended = renameTo(calls, join(folder.outside, 'suspended'));
    const told = renameTo(calls, join(folder.outside, 'offset1000'));
    const synced = calls.filter(
      ({ name, began, ended }) => name === 'fdatasync' && began > suspended.ended && ended < told.began,
    );
    expect(synced).toHaveLength(1);
  });

  it('of many: each file is synced before its rename, and one sync of the folder serves many', (context) => {
    const count = 500;
    const calls = trace(
      context,
      `await Promise.all(Array.from({ length: ${count} }, (_, i) => putBytes(store, 'd/' + i, 'x')));
       mark('done');`,
    );
    for (let i = 0; i < count; i += 1) expectDurableBefore(calls, `d/${i}`, 'done');
    expect(syncsOf(calls, join(folder.root, 'd')).length).toBeLessThan(count / 2);
  });

  it('of many in one call: each is told of once it is durable, with its name', (context) => {
    const count = 100;
    const calls = trace(
      context,
      `const files = Array.from({ length: ${count} }, (_, i) => wholeFile('d/' + i, 'x'));
       const outcome = { kept: ({ file }) => mark(file.path.replace('/', '-')), refused: () => mark('refused') };
       await store.putMany(files, outcome);`,
    );
    expect(marksIn(calls)).toHaveLength(count);
    for (let i = 0; i < count; i += 1) expectDurableBefore(calls, `d/${i}`, `d-${i}`);
    expect(syncsOf(calls, join(folder.root, 'd')).length).toBeLessThan(count / 2);
  });

  it('of remove: the name, the folders that it empties, then a sync of the lowest that is left', (context) => {
    const calls = trace(
      context,
      `await putBytes(store, 'a/b/c/f', 'x');
       await putBytes(store, 'a/g', 'x');
       mark('put');
       await store.remove('a/b/c/f');
       mark('removed');
       await store.remove('a/b/c/f');
       mark('again');`,
    );
    const [put, removed, again] = ['put', 'removed', 'again'].map((name) =>
      renameTo(calls, join(folder.outside, name)),
    );
    const gone = ['a/b/c/f', 'a/b/c', 'a/b'].map((path) =>
      calls.find(({ name, paths }) => /unlink|rmdir/.test(name) && paths.at(-1) === join(folder.root, path))!,
    );
    expect(gone.map(({ began }) => began)).toEqual(gone.map(({ began }) => began).sort((a, b) => a - b));
    expect(syncedBetween(calls, join(folder.root, 'a'), gone[2]!, removed!)).toBe(true);
    expect(syncsOf(calls, join(folder.root, 'a/b')).every(({ ended }) => ended < put!.began)).toBe(true);
    // An earlier one may have been killed before it came so far.
    expect(syncedBetween(calls, join(folder.root, 'a'), removed!, again!)).toBe(true);
  });

  it('of put: a folder that another process has removed and made again is a new one', (context) => {
    const calls = trace(
      context,
      `await using other = await openFileStore(root);
       await putBytes(store, 'a/b/f', 'x');
       await other.remove('a/b/f');
       mkdirSync(root + '/a/b', { recursive: true });
       mark('again');
       await putBytes(store, 'a/b/g', 'x');
       mark('put');`,
    );
    const again = renameTo(calls, join(folder.outside, 'again'));
    const put = renameTo(calls, join(folder.outside, 'put'));
    for (const above of ['', 'a', 'a/b'])
      expect([above, syncedBetween(calls, join(folder.root, above), again, put)]).toEqual([above, true]);
  });

  it('of sync: every folder up to the root', (context) => {
    const calls = trace(
      context,
      `await putBytes(store, 'a/b/f', 'x');
       mark('put');
       await store.sync('a/b');
       mark('synced');`,
    );
    const put = renameTo(calls, join(folder.outside, 'put'));
    const synced = renameTo(calls, join(folder.outside, 'synced'));
    for (const path of ['', 'a', 'a/b'])
      expect(syncedBetween(calls, join(folder.root, path), put, synced)).toBe(true);
  });

  it('of sync: every folder below, because whoever named a file there may have been killed before', (context) => {
    const below = ['a/b', 'a/b/c', 'a/b/c/d', 'a/b/e', ...Array.from({ length: 9 }, (_, i) => `a/b/c/${i}`)];
    for (const path of [...below, 'a/beside']) mkdirSync(join(folder.root, path), { recursive: true });
    symlinkSync(folder.outside, join(folder.root, 'a/b/link'));
    writeFileSync(join(folder.root, 'a/b/c/d/f'), 'x');
    const calls = trace(context, `mark('opened'); await store.sync('a/b'); mark('synced');`);
    const opened = renameTo(calls, join(folder.outside, 'opened'));
    const synced = renameTo(calls, join(folder.outside, 'synced'));
    for (const path of below)
      expect([path, syncedBetween(calls, join(folder.root, path), opened, synced)]).toEqual([path, true]);
    for (const path of [folder.outside, join(folder.root, 'a/beside')])
      expect(syncsOf(calls, path)).toEqual([]);
  });

  it('of sync: a folder below that can not be synced is told', (context) => {
    for (let i = 0; i < 9; i++) mkdirSync(join(folder.root, `a/b/${i}/c`), { recursive: true });
    const calls = trace(context, `mark(await codeOf(store.sync('a/b')));`, 'fsync:error=EIO:when=7');
    expect(marksIn(calls)).toEqual(['STORE_FAILED-true']);
  });

  it('of the identity: sync the file, name it, sync its folder and that of the store', (context) => {
    const calls = trace(context, `await store.identity(); mark('told');`);
    const named = linkTo(calls, join(folder.root, '.isync/store-id'));
    const told = renameTo(calls, join(folder.outside, 'told'));
    expect(
      syncsOf(
        calls,
        named.paths.find((path) => path.includes('staging'))!,
      ),
    ).toHaveLength(1);
    for (const path of ['', '.isync'])
      expect(syncedBetween(calls, join(folder.root, path), named, told)).toBe(true);
  });
});

/** Uploads 130 MiB: enough for the background syncs. `upload` and `committed` (a code) are there afterwards. */
const UPLOAD_MUCH = `
  const file = { path: 'd/much', size: 130 * 2 ** 20, mtimeUs: 0 };
  const bytes = Buffer.alloc(2 ** 20, 'm');
  const digester = createDigester('xxh64');
  const options = { algorithm: 'xxh64', resume: true };
  const upload = await store.begin(file, options);
  const committed = await codeOf((async () => {
    while (upload.offset < file.size) {
      await upload.write(bytes);
      digester.update(bytes);
    }
    await upload.commit(digester.digest());
  })());
  await upload.suspend();
  mark(committed);`;

const LEAVE_PART = `
  const left = await begin(store);
  await left.write(CONTENT.subarray(0, 1000));
  await left.suspend();`;

describe('syncs', () => {
  it('of long uploads begin while they are under way', (context) => {
    const calls = trace(context, UPLOAD_MUCH);
    expect(marksIn(calls)).toEqual(['kept']);
    const inBackground = calls.filter(({ name }) => name === 'fdatasync');
    expect(inBackground.length).toBeGreaterThanOrEqual(1);
    expect(inBackground.length).toBeLessThanOrEqual(2);
  });

  it('that fail in the background fail the upload for good: what the disk holds of it is not known', (context) => {
    const calls = trace(
      context,
      `${UPLOAD_MUCH}
       mark('offset' + (await store.begin(file, options)).offset);`,
      'fdatasync:error=EIO:when=1',
    );
    expect(marksIn(calls)).toEqual(['STORE_FAILED-true', 'offset0']);
  });

  it('of a file that fail publish nothing', (context) => {
    const calls = trace(
      context,
      `mark('first-' + (await codeOf(putBytes(store, 'd/f', 'x'))));
       mark('stat-' + (await store.stat('d/f')));
       mark('second-' + (await codeOf(putBytes(store, 'd/f', 'x'))));`,
      'fsync:error=EIO:when=1',
    );
    expect(marksIn(calls)).toEqual(['first-STORE_FAILED-true', 'stat-undefined', 'second-kept']);
  });

  it('of one of many files that fail publish nothing of that one, and stop no other', (context) => {
    const calls = trace(
      context,
      `const { outcome, codes } = manyOutcomes();
       await store.putMany(['a', 'b', 'c'].map((name) => wholeFile('d/' + name, name)), outcome);
       mark(Object.entries(codes()).map(([path, code]) => path.slice(2) + '-' + code).sort().join(','));
       mark('left' + readdirSync(root + '/.isync/staging', { recursive: true }).filter((name) => name.includes('/')).length);
       mark('there' + readdirSync(root + '/d').sort().join());`,
      'fsync:error=EIO:when=2',
    );
    expect(marksIn(calls)).toEqual(['a-kept,b-STORE_FAILED,c-kept', 'left0', 'therea,c']);
  });

  it('of folders that fail are made up for by the next file', (context) => {
    const calls = trace(
      context,
      `mark('first-' + (await codeOf(putBytes(store, 'a/b/f', 'x'))));
       mark('second-' + (await codeOf(putBytes(store, 'a/b/g', 'x'))));`,
      'fsync:error=EIO:when=2..4',
    );
    const first = renameTo(calls, join(folder.outside, 'first-STORE_FAILED-true'));
    const second = renameTo(calls, join(folder.outside, 'second-kept'));
    for (const path of ['', 'a', 'a/b'])
      expect(syncedBetween(calls, join(folder.root, path), first, second)).toBe(true);
  });

  it('of what a resume found that fail are not believed the next time: it begins anew', (context) => {
    const calls = trace(
      context,
      `${LEAVE_PART}
       mark('first-' + (await codeOf(begin(store))));
       mark('offset' + (await begin(store)).offset);`,
      'fdatasync:error=EIO:when=1',
    );
    expect(marksIn(calls)).toEqual(['first-STORE_FAILED-true', 'offset0']);
  });

  it('of a folder that was removed, and made again in vain, are made up for by the next file', (context) => {
    const calls = trace(
      context,
      `await putBytes(store, 'a/b/f', 'x');
       rmSync(root + '/a', { recursive: true });
       mark('first-' + (await codeOf(putBytes(store, 'a/b/f', 'x'))));
       mark('second-' + (await codeOf(putBytes(store, 'a/b/g', 'x'))));`,
      'fsync:error=EIO:when=6..8',
    );
    const first = renameTo(calls, join(folder.outside, 'first-STORE_FAILED-true'));
    const second = renameTo(calls, join(folder.outside, 'second-kept'));
    for (const path of ['', 'a', 'a/b'])
      expect(syncedBetween(calls, join(folder.root, path), first, second)).toBe(true);
  });

  it('are not spared in an immutable store where somebody else has kept the file already', (context) => {
    const calls = trace(
      context,
      `await using immutable = await openFileStore(root, { immutable: true });
       mkdirSync(root + '/d');
       writeFileSync(root + '/d/f', 'x');
       mark('theirs');
       mark(await codeOf(putBytes(immutable, 'd/f', 'x')));`,
    );
    const theirs = renameTo(calls, join(folder.outside, 'theirs'));
    const kept = renameTo(calls, join(folder.outside, 'kept'));
    expect(syncedBetween(calls, join(folder.root, 'd/f'), theirs, kept)).toBe(true);
  });
});

it('throws away what a resume found and can not read: no later attempt could finish it', (context) => {
  const calls = trace(
    context,
    `const file = { path: 'd/much', size: 2 ** 25, mtimeUs: 0 };
     const options = { algorithm: 'xxh64', resume: true };
     const left = await store.begin(file, options);
     await left.write(Buffer.alloc(2 ** 24));
     await left.suspend();
     mark('first-' + (await codeOf(store.begin(file, options))));
     mark('offset' + (await store.begin(file, options)).offset);`,
    // Of the thread pool: the main thread reads less often than that, to load the program.
    'pread64:error=EIO:when=40',
  );
  expect(marksIn(calls)).toEqual(['first-STORE_FAILED-true', 'offset0']);
});

it('leaves nothing of a file that can not be closed', (context) => {
  const calls = trace(
    context,
    `try {
       for (;;) closeSync(openSync(root));
     } catch {
       // The next one fails, too.
     }
     mark(await codeOf(putBytes(store, 'd/f', 'x')));
     const left = readdirSync(root + '/.isync/staging', { recursive: true });
     mark('left' + left.filter((name) => name.includes('/')).length);`,
    // Of the main thread: others close less often than that, as it does itself to load the program.
    'close:error=EIO:when=300..301',
  );
  expect(marksIn(calls)).toEqual(['STORE_FAILED-true', 'left0']);
});

it('publishes into an immutable store with its mtime also where the staged name can not be removed', (context) => {
  const calls = trace(
    context,
    `await using immutable = await openFileStore(root, { immutable: true });
     mark(await codeOf(begin(immutable).then(finish)));
     mark('same-' + sameVersion(await immutable.stat(LARGE.path), LARGE));
     // The thread pool's first one fails as well.
     await codeOf(begin(immutable));
     mark('again-' + (await codeOf(begin(immutable).then(finish))));
     mark('same-again-' + sameVersion(await immutable.stat(LARGE.path), LARGE));`,
    'unlink:error=EIO:when=1',
  );
  expect(marksIn(calls)).toEqual(['kept', 'same-true', 'again-kept', 'same-again-true']);
});
