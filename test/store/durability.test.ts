import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import { useStoreFolder } from './folder.ts';

/** The order of system calls is all that a test can see of durability short of cutting the power. */

const folder = useStoreFolder();
const resolved = (path: string): string => JSON.stringify(import.meta.resolve(path));

/** A system call: between `began` and `ended` (line numbers of the trace), successful. */
interface Call {
  readonly name: string;
  /** The paths it names, and those of its file descriptors. */
  readonly paths: readonly string[];
  readonly began: number;
  readonly ended: number;
}

/**
 * Runs `script` with the store open and traces it. `mark(text)` in it shows up as a rename to a path that ends so.
 * `fault` makes system calls fail: see `inject` in strace(1).
 */
function trace({ skip }: TestContext, script: string, fault?: string): Call[] {
  if (lacks('strace')) skip('strace is not installed');
  const output = join(folder.outside, 'trace');
  const program = `
    import { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
    import { openFileStore } from ${resolved('../../src/store/file/file-store.ts')};
    import { createDigester } from ${resolved('../../src/model/digest.ts')};
    import { begin, CONTENT, finish, LARGE } from ${resolved('./large-file.ts')};
    import { sameVersion } from ${resolved('../../src/model/file-entry.ts')};
    import { putBytes } from ${resolved('../suites/store/files.ts')};
    const [, root, outside] = process.argv;
    const codeOf = (call) => call.then(() => 'kept', (error) => error.code + '-' + error.retryable);
    const mark = (text) => {
      writeFileSync(outside + '/unmarked', '');
      renameSync(outside + '/unmarked', outside + '/' + text);
    };
    await using store = await openFileStore(root);
    ${script}`;
  const calls = 'trace=close,unlink,pread64,fdatasync,fsync,rename,renameat,renameat2,linkat,link';
  const node = [process.execPath, '--input-type=module', '-e', program, folder.root, folder.outside];
  const faults = fault === undefined ? [] : ['-e', `inject=${fault}`];
  execFileSync('strace', ['-f', '-y', '-s', '4096', '-e', calls, ...faults, '-o', output, ...node], {
    // One thread, because strace counts the calls of each for itself.
    env: { ...process.env, UV_THREADPOOL_SIZE: fault === undefined ? '16' : '1' },
  });
  return parseTrace(readFileSync(output, 'utf8'));
}

function parseTrace(text: string): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, { line: string; began: number }>();
  for (const [at, line] of text.split('\n').entries()) {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest.endsWith('<unfinished ...>')) unfinished.set(pid, { line: rest, began: at });
    else {
      const resumed = rest.startsWith('<... ') ? unfinished.get(pid) : undefined;
      const call = (resumed?.line ?? '') + rest;
      const [, name = ''] = /^(\w+)\(/.exec(call) ?? [];
      const paths = [...call.matchAll(/"([^"]*)"|\d<([^>]*)>/g)].map(([, path, ofFd]) => path ?? ofFd ?? '');
      if (name !== '' && call.endsWith(' = 0'))
        calls.push({ name, paths, began: resumed?.began ?? at, ended: at });
    }
  }
  return calls;
}

/** The one call that gave `path` its name without replacing anything. */
function linkTo(calls: readonly Call[], path: string): Call {
  const found = calls.filter(({ name, paths }) => name.startsWith('link') && paths.at(-1) === path);
  expect(found).toHaveLength(1);
  return found[0]!;
}

function renameTo(calls: readonly Call[], path: string): Call {
  const found = calls.filter(({ name, paths }) => name.startsWith('rename') && paths.at(-1) === path);
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** The marks, in their order. */
function marksIn(calls: readonly Call[]): string[] {
  const marks = calls
    .filter(({ name }) => name.startsWith('rename'))
    .map(({ paths }) => paths.at(-1) ?? '')
    .filter((path) => dirname(path) === folder.outside);
  return marks.map((path) => basename(path));
}

const syncsOf = (calls: readonly Call[], path: string): Call[] =>
  calls.filter(({ name, paths }) => name === 'fsync' && paths[0] === path);

/** Data durable, then the name, then the folder, and all of that before `mark`; returns the rename. */
function expectDurableBefore(calls: readonly Call[], path: string, mark: string): Call {
  const renamed = renameTo(calls, join(folder.root, path));
  const marked = renameTo(calls, join(folder.outside, mark));
  expect(syncsOf(calls, renamed.paths[0]!).some(({ ended }) => ended < renamed.began)).toBe(true);
  expect(syncedBetween(calls, dirname(join(folder.root, path)), renamed, marked)).toBe(true);
  return renamed;
}

function syncedBetween(calls: readonly Call[], path: string, after: Call, before: Call): boolean {
  return syncsOf(calls, path).some(({ began, ended }) => began > after.ended && ended < before.began);
}

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
