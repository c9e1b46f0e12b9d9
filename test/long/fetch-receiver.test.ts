import { hostname } from 'node:os';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaultDevice } from '../../src/config/default-device.ts';
import { addToken, runCli, scanOnce, startCli, startReceiver, writeTokenFile } from '../../harness/cli.ts';
import { filesBelow, temporaryFolder, writeTree, type Tree } from '../../harness/data-tree.ts';
import { faultyProxy } from '../../harness/faulty-proxy.ts';
import { hasCommit, OLD_VERSIONS, oldVersion } from '../../harness/old-version.ts';

/** One way of a line of 100 ms, in ms. */
const HALF_LINE_MS = 50;
const SMALL_FILES = 2000;
/** Resumed: it is more than what is under way on a link. */
const LARGE_BYTES = 60 * 1024 * 1024;

/** A receiver that keeps `tree` of edge1, and token files of it: one that sends, one that reads. */
async function stage(tree: Tree) {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder('fetch-receiver'));
  const [root, store, tokens] = ['root', 'store', 'tokens.json'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeTree(folder, { 'store/other/DC1/theirs': 'theirs' });
  await writeTree(root, tree);
  const sends = await writeTokenFile(folder, 'sends', await addToken('edge1', tokens));
  const reads = await writeTokenFile(folder, 'reads', await addToken('edge1', tokens, ['--read']));
  const receiver = stack.use(await startReceiver(store, { args: ['--tokens', tokens] }));
  const sent = await scanOnce(root, { to: receiver.url, device: 'edge1', args: ['--token-file', sends] });
  expect(sent.exitCode).toBe(0);
  const into = join(folder, 'back');
  const fetch = async (
    place: string,
    args: readonly string[] = [],
    { url = receiver.url, token = reads } = {},
  ) => await runCli(['fetch', `${url}/${place}`, into, ...args, '--token-file', token, '--json']);
  const owned = stack.move();
  return {
    folder,
    root,
    store,
    into,
    sends,
    reads,
    tokens,
    receiver,
    fetch,
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

async function expectSame(root: string, into: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    expect((await readFile(join(into, path))).equals(await readFile(join(root, path)))).toBe(true);
    // To the microsecond.
    expect((await stat(join(into, path))).mtimeMs).toBeCloseTo((await stat(join(root, path))).mtimeMs, 2);
  }
}

const TREE = {
  'DC1/a.bin': 4,
  'DC1/sub/ü b%.log': 200_000,
  'DC1/none': '',
  'DC1/large': 9_000_000,
  'DC1/finished.parse': '',
  'DC2/c.bin': 10,
};

describe('from a receiver', () => {
  test('what was sent is listed and comes back, and nothing comes twice', async () => {
    await using at = await stage(TREE);
    const paths = Object.keys(TREE);
    const first = await at.fetch('edge1');
    expect(first).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(first.stdout)).toMatchObject({ files: paths.length, there: 0, problemCount: 0 });
    await expectSame(at.root, at.into, paths);
    expect(readdirSync(at.into).toSorted()).toEqual(['DC1', 'DC2']);
    expect(statSync(join(at.into, 'DC1/large')).mode & 0o777).toBe(0o644);

    const again = await at.fetch('edge1');
    expect(JSON.parse(again.stdout)).toMatchObject({ files: 0, there: paths.length, exitCode: 0 });

    const ls = async (place: string) =>
      JSON.parse(
        (await runCli(['ls', `${at.receiver.url}${place}`, '--token-file', at.reads, '--json'])).stdout,
      ) as unknown;
    expect(await ls('/edge1')).toMatchObject({
      directories: [
        { name: 'DC1', sealed: true, files: 5 },
        { name: 'DC2', sealed: false, files: 1 },
      ],
    });
    expect(await ls('/edge1/DC1/sub')).toMatchObject({ entries: [{ path: 'ü b%.log', size: 200_000 }] });
    expect(await ls('/edge1/DC1/sub/ü b%25.log')).toMatchObject({ files: 1, bytes: 200_000 });
  });

  test('a directory or what globs name comes alone, and what is here is not replaced', async () => {
    await using at = await stage(TREE);
    await writeTree(at.into, { 'a.bin': 'mine' });
    const some = await at.fetch('edge1/DC1', ['*.bin', 'sub']);
    expect(some).toMatchObject({ exitCode: 1 });
    expect(JSON.parse(some.stdout)).toMatchObject({
      files: 1,
      problems: [{ path: 'a.bin', code: 'NOT_OVERWRITTEN' }],
    });
    expect(readFileSync(join(at.into, 'a.bin'), 'utf8')).toBe('mine');
    const replaced = await at.fetch('edge1/DC1', ['*.bin', 'sub', '--overwrite']);
    expect(JSON.parse(replaced.stdout)).toMatchObject({ files: 1, there: 1, exitCode: 0 });
    await expectSame(join(at.root, 'DC1'), at.into, ['a.bin', 'sub/ü b%.log']);
  });

  test('a token gets back only what it is for, with what to do instead', async () => {
    await using at = await stage({ 'DC1/a': 10 });
    const sender = await at.fetch('edge1', [], { token: at.sends });
    expect(sender).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/AUTH_REFUSED[^]*isync token add DEVICE --read/) as string,
    });
    const other = await at.fetch('other');
    expect(other).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('the token is of another device') as string,
    });
    expect(existsSync(join(at.into, 'DC1'))).toBe(false);
    const writing = await scanOnce(at.root, {
      to: at.receiver.url,
      device: 'edge1',
      args: ['--token-file', at.reads],
    });
    expect(writing).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('the token is for reading only') as string,
    });
    // To compare is no right of its own: either token may.
    for (const token of [at.reads, at.sends])
      expect(
        await runCli([
          'verify',
          at.root,
          '--to',
          at.receiver.url,
          '--device',
          'edge1',
          '--token-file',
          token,
        ]),
      ).toMatchObject({ exitCode: 0 });
    const listed = await runCli(['ls', `${at.receiver.url}/edge1`, '--token-file', at.sends]);
    expect(listed).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('DC1') as string });
  });

  test('without a device what this machine has sent is meant, under the name that it sends as', async () => {
    await using at = await stage({ 'DC1/a': 10 });
    const device = defaultDevice(hostname());
    await writeTree(at.store, { [`${device}/DC7/mine`]: 20 });
    const token = await writeTokenFile(at.folder, 'mine', await addToken(device, at.tokens, ['--read']));
    const listed = await runCli(['ls', at.receiver.url, '--token-file', token, '--json']);
    expect(JSON.parse(listed.stdout)).toMatchObject({
      devices: [{ name: device, directories: 1, files: 1, bytes: 20 }],
      files: 1,
    });
    expect(await at.fetch('', [], { token })).toMatchObject({ exitCode: 0 });
    expect([...(await filesBelow(at.into)).keys()]).toEqual([`${device}/DC7/mine`]);
  });

  test('small files cost no round trip each on a long line', async () => {
    await using at = await stage(
      Object.fromEntries(Array.from({ length: SMALL_FILES }, (_, n) => [`DC${n % 3}/${n}`, 4096])),
    );
    await using proxy = await faultyProxy(at.receiver.port);
    proxy.delayMs = HALF_LINE_MS;
    let pieces = 0;
    proxy.shape = (piece, to) => {
      if (to === 'receiver') pieces++;
      return [piece];
    };
    const ended = await at.fetch('edge1', [], { url: proxy.url });
    expect(JSON.parse(ended.stdout)).toMatchObject({ files: SMALL_FILES, problemCount: 0, exitCode: 0 });
    // Handshake, list and requests: each may be a write of its own, keepalives too.
    expect(pieces).toBeLessThan(SMALL_FILES / 10);
  });

  test('a run that is killed goes on within a large file, over a link that breaks', async () => {
    await using at = await stage({ 'DC1/large': LARGE_BYTES });
    await using proxy = await faultyProxy(at.receiver.port);
    let bytes = 0;
    proxy.shape = (piece, to) => {
      if (to === 'sender') bytes += piece.length;
      return [piece];
    };
    const args = ['fetch', `${proxy.url}/edge1`, at.into, '--token-file', at.reads];
    {
      await using first = startCli(args);
      await first.until('a third of the file', () => first.over || bytes > LARGE_BYTES / 3);
      proxy.cut();
      await first.until('two thirds of the file', () => first.over || bytes > (LARGE_BYTES * 2) / 3);
      await first.stop('SIGKILL');
    }
    expect(existsSync(join(at.into, 'DC1/large'))).toBe(false);
    bytes = 0;
    const { exitCode, stdout } = await runCli([...args, '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ files: 1, problemCount: 0 });
    await expectSame(at.root, at.into, ['DC1/large']);
    expect(bytes).toBeLessThan(LARGE_BYTES * 0.8);
    expect([...(await filesBelow(at.into)).keys()]).toEqual(['DC1/large']);
  });
});

const COMMIT = OLD_VERSIONS.later;

test.skipIf(!hasCommit(COMMIT))('an older receiver is told from one that refuses: update it', async () => {
  await using place = await temporaryFolder('fetch-old');
  const old = oldVersion(COMMIT, join(place.path, 'old'));
  await writeTree(join(place.path, 'store'), { 'edge1/DC1/a': 'a' });
  const tokens = join(place.path, 'tokens.json');
  const made = await runCli(['token', 'add', 'edge1', '--tokens', tokens], { main: old });
  const token = await writeTokenFile(place.path, 'edge1', made.stdout.trim());
  await using receiver = await startReceiver(join(place.path, 'store'), {
    main: old,
    args: ['--tokens', tokens],
  });
  const from = `${receiver.url}/edge1`;
  const into = join(place.path, 'back');
  expect(await runCli(['fetch', from, into, '--token-file', token])).toMatchObject({
    exitCode: 3,
    stderr: expect.stringMatching(/VERSION_UNSUPPORTED[^]*Update the receiver/) as string,
  });
  expect(await runCli(['ls', from, '--token-file', token])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('DC1') as string,
  });
  // Nor does it take a token that reads for one that writes: it refuses the file.
  await addToken('edge1', tokens, ['--read']);
  const listed = await runCli(['token', 'list', '--tokens', tokens], { main: old });
  expect(listed).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('CONFIG_INVALID') as string });
});
