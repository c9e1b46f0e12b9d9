import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { digestIn, listAll, putBytes } from '../suites/store/files.ts';
import { useStoreFolder } from './folder.ts';
import { begin, finish, LARGE } from './large-file.ts';

const folder = useStoreFolder();

const resolved = (path: string): string => JSON.stringify(import.meta.resolve(path));

/** Starts a process that has `store` open and runs `script`, which says with console.log when it is ready. */
async function startProcess(script: string): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { openFileStore } from ${resolved('../../src/store/file/file-store.ts')};
       import { begin, CONTENT } from ${resolved('./large-file.ts')};
       import { putBytes } from ${resolved('../suites/store/files.ts')};
       const store = await openFileStore(process.argv[1]);
       ${script}
       setInterval(() => {}, 1000);`,
      folder.root,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  folder.afterwards(() => child.kill('SIGKILL'));
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the process ended too early'))),
  ]);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

it('goes on with the upload of a process that was killed, and not before', async () => {
  const child = await startProcess(`
    const upload = await begin(store);
    await upload.write(CONTENT.subarray(0, 150_000));
    console.log('written');`);
  const store = await folder.open({ stalePartialMs: 0 });
  const [theirs] = await folder.staged();
  const beside = await begin(store);
  expect(beside.offset).toBe(0);
  await beside.abort();
  expect(await folder.staged()).toEqual([theirs]);

  await kill(child);
  const upload = await begin(store);
  expect(upload.offset).toBe(150_000);
  await finish(upload);
  expect((await store.stat(LARGE.path))?.size).toBe(LARGE.size);
});

it('leaves whole files only when it is killed, and the next to open the store tidies up', async () => {
  const child = await startProcess(`
    let put = 0;
    const one = async () => {
      const name = 'd/' + (put += 1);
      await putBytes(store, name, name.repeat(1000));
      if (put === 200) console.log('in the midst of it');
      return one();
    };
    for (let i = 0; i < 32; i += 1) void one();`);
  await kill(child);
  const store = await folder.open();
  expect(await folder.staged()).toEqual([]);
  expect(readdirSync(join(folder.root, '.isync/staging'))).toHaveLength(2);
  const files = await listAll(store);
  expect(files.length).toBeGreaterThan(150);
  for (const { path } of files)
    expect(await digestIn(store, path)).toEqual(digestOf('xxh64', Buffer.from(path.repeat(1000))));
});

it('may have one store open in several processes', async () => {
  const child = await startProcess(`
    console.log('open');
    await Promise.all(Array.from({ length: 300 }, (_, i) => putBytes(store, 'd/' + i, 'by the child')));
    process.exit();`);
  const exited = once(child, 'exit');
  const store = await folder.open();
  await Promise.all(Array.from({ length: 300 }, (_, i) => putBytes(store, `d/${i}`, 'by ourselves')));
  expect(await exited).toEqual([0, null]);
  const files = await listAll(store);
  expect(files).toHaveLength(300);
  for (const { path } of files)
    expect(['by the child', 'by ourselves']).toContain(readFileSync(join(folder.root, path), 'utf8'));
});
