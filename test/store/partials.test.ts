import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { putBytes } from '../suites/store/files.ts';
import { useStoreFolder } from './folder.ts';
import { begin, CONTENT, finish, LARGE, leavePart } from './large-file.ts';

const folder = useStoreFolder();

describe('unfinished uploads', () => {
  it('are collected when nobody has gone on with them for long, and not before', async () => {
    const first = await folder.open({ stalePartialMs: 60_000 });
    const part = await leavePart(folder, first);
    await first[Symbol.asyncDispose]();
    const second = await folder.open({ stalePartialMs: 60_000 });
    expect(await folder.staged()).toEqual([part]);
    await second[Symbol.asyncDispose]();
    const old = new Date(Date.now() - 61_000);
    utimesSync(part, old, old);
    const third = await folder.open({ stalePartialMs: 60_000 });
    expect(await folder.staged()).toEqual([]);
    expect((await begin(third)).offset).toBe(0);
  });

  it('are not collected while they are open, here or in another process', async () => {
    const upload = await begin(await folder.open());
    await upload.write(CONTENT.subarray(0, 1000));
    const [part] = await folder.staged();
    utimesSync(part!, 0, 0);
    const other = await folder.open({ stalePartialMs: 0 });
    expect(await folder.staged()).toEqual([part]);
    await other[Symbol.asyncDispose]();
    await finish(upload);
    expect(readFileSync(join(folder.root, LARGE.path))).toEqual(CONTENT);
  });

  it('are never shared: another process begins its own from nothing', async () => {
    const mine = await folder.open();
    const theirs = await folder.open();
    const first = await begin(mine);
    await first.write(CONTENT.subarray(0, 1000));
    const second = await begin(theirs);
    expect(second.offset).toBe(0);
    await second.write(CONTENT.subarray(0, 500));
    await first.suspend();
    await finish(second);
    const third = await begin(theirs);
    expect(third.offset).toBe(1000);
    await finish(third);
    expect(readFileSync(join(folder.root, LARGE.path))).toEqual(CONTENT);
  });

  it('of a process that has died are gone on with', async () => {
    const store = await folder.open();
    const part = await leavePart(folder, store);
    moveToOwner(part, (name) => name.replace(/^(\w+-\w+)-\w+/, '$1-1'));
    const upload = await begin(store);
    expect(upload.offset).toBe(1000);
    await finish(upload);
  });

  it('of a process that nothing is known of are copied, so that it can never write into what is published', async () => {
    const store = await folder.open();
    const part = moveToOwner(await leavePart(folder, store), (name) =>
      name.replace(/^\w+/, '0123456789abcdef'),
    );
    await using theirs = await open(part, 'r+');
    const upload = await begin(store);
    expect(upload.offset).toBe(1000);
    expect(existsSync(part)).toBe(false);
    await finish(upload);
    await theirs.write('garbage', 0);
    expect(readFileSync(join(folder.root, LARGE.path))).toEqual(CONTENT);
  });

  it('of a process that nothing is known of are collected when nothing has touched them for long', async () => {
    const first = await folder.open();
    const part = moveToOwner(await leavePart(folder, first), () => 'of-who-knows-whom');
    await first[Symbol.asyncDispose]();
    await (await folder.open())[Symbol.asyncDispose]();
    expect(await folder.staged()).toEqual([part]);
    await expect
      .poll(async () => {
        await (await folder.open({ stalePartialMs: 0 }))[Symbol.asyncDispose]();
        return existsSync(dirname(part));
      })
      .toBe(false);
  });

  it('that hold more than the file has begin anew', async () => {
    const store = await folder.open();
    writeFileSync(await leavePart(folder, store), Buffer.alloc(CONTENT.length + 1));
    const upload = await begin(store);
    expect(upload.offset).toBe(0);
    await finish(upload);
  });

  it('that are a second name of a published file are never written to', async () => {
    const store = await folder.open();
    const part = await leavePart(folder, store);
    await putBytes(store, 'published', 'keep');
    rmSync(part);
    linkSync(join(folder.root, 'published'), part);
    const upload = await begin(store);
    expect(upload.offset).toBe(0);
    await finish(upload);
    expect(readFileSync(join(folder.root, 'published'), 'utf8')).toBe('keep');
  });
});

/** Moves a part to where the process called `rename(our name)` would have it open. */
function moveToOwner(part: string, rename: (name: string) => string): string {
  const staging = dirname(dirname(part));
  const ours = readdirSync(staging).find((name) => name !== 'parts')!;
  const moved = join(staging, rename(ours), basename(part));
  expect(dirname(moved)).not.toBe(join(staging, ours));
  mkdirSync(dirname(moved));
  renameSync(part, moved);
  return moved;
}
