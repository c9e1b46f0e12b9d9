import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { addToken, runCli, scanOnce, startReceiver, startScan, writeTokenFile } from '../../harness/cli.ts';
import { differences, isSealed, temporaryFolder, writeTree } from '../../harness/data-tree.ts';
import { freePort } from '../../harness/free-port.ts';
import { hasCommit, OLD_VERSIONS, oldVersion } from '../../harness/old-version.ts';

/** The side whose version is told; undefined: that of today. */
interface Sides {
  readonly scan?: string | undefined;
  readonly receive?: string | undefined;
}

interface Pair extends AsyncDisposable {
  readonly folder: string;
  readonly root: string;
  /** Folder of the device in the store. */
  readonly copy: string;
  readonly tokens: string;
  readonly tokenFile: string;
  readonly old: string;
}

/** An old version, and what both sides have on their disks; the token was made by the version of the receiver. */
async function pairOf(commit: string): Promise<Pair> {
  const place = await temporaryFolder('upgrade');
  const folder = place.path;
  const old = oldVersion(commit, join(folder, 'old'));
  for (const name of ['root', 'store']) await mkdir(join(folder, name));
  const tokens = join(folder, 'tokens.json');
  const made = await runCli(['token', 'add', 'edge1', '--tokens', tokens], { main: old });
  return {
    folder,
    old,
    root: join(folder, 'root'),
    copy: join(folder, 'store/edge1'),
    tokens,
    tokenFile: await writeTokenFile(folder, 'edge1', made.stdout.trim()),
    [Symbol.asyncDispose]: async () => await place[Symbol.asyncDispose](),
  };
}

function receiverOf({ folder, tokens }: Pair, main: string | undefined, port = 0) {
  return startReceiver(join(folder, 'store'), { main, port, args: ['--tokens', tokens] });
}

/** What differs between root and copy, but for our marker. */
async function differencesOf({ root, copy }: Pair): Promise<string[]> {
  return await differences(root, copy, (path) => path.endsWith('/finished.watch'));
}

/** Files of all ways over the wire: many in a message, one in chunks, none with bytes, deep and odd names. */
const TREE = {
  ...Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`DC1/small/${index}`, index * 7])),
  'DC1/large': 9_000_000,
  'DC1/empty': '',
  'DC1/a b/ü 日本/…': 'odd',
  'DC1/text.log': 'the same line again and again\n'.repeat(20_000),
  'DC1/finished.parse': '',
};

describe.each(Object.entries(OLD_VERSIONS))('0.1.0 as it %s was', (_, commit) => {
  const isThere = hasCommit(commit);

  test.skipIf(!isThere).each<readonly [string, (old: string) => Sides]>([
    ['an old scan sends to a receiver of today', (old) => ({ scan: old })],
    ['a scan of today sends to an old receiver', (old) => ({ receive: old })],
  ])('%s: all arrives, is sealed and verified', async (_what, sidesOf) => {
    await using pair = await pairOf(commit);
    const { scan, receive } = sidesOf(pair.old);
    await using receiver = await receiverOf(pair, receive);
    const to = receiver.url;
    const token = ['--token-file', pair.tokenFile];
    await writeTree(pair.root, TREE);
    const { exitCode, summary } = await scanOnce(pair.root, {
      to,
      main: scan,
      args: [...token, '--compress'],
    });
    expect({ exitCode, files: summary.files, problems: summary.problems }).toEqual({
      exitCode: 0,
      files: Object.keys(TREE).length - 1,
      problems: [],
    });
    expect(isSealed(pair.root, 'DC1')).toBe(true);
    expect(await differencesOf(pair)).toEqual([]);
    for (const main of [pair.old, undefined]) {
      const verify = ['verify', pair.root, '--to', to, '--device', 'edge1', ...token];
      expect(await runCli(verify, { main })).toMatchObject({ exitCode: 0 });
    }
    // The other version looks at the root of the first: what is sealed is sent no more.
    const again = await scanOnce(pair.root, {
      to,
      main: scan === undefined ? pair.old : undefined,
      args: token,
    });
    expect(again).toMatchObject({ exitCode: 0, summary: { files: 0 } });
    expect(isSealed(pair.root, 'DC1')).toBe(true);
  });

  test.skipIf(!isThere)(
    'a store and a root go over from the old to that of today, and back, while scans run',
    async () => {
      await using pair = await pairOf(commit);
      const port = await freePort();
      const token = ['--token-file', pair.tokenFile];
      const to = `ws://127.0.0.1:${port}`;
      await writeTree(pair.root, { 'DC1/a': 1000, 'DC1/large': 40_000_000 });
      const has = (path: string): boolean => existsSync(join(pair.copy, path));
      const options = { to, args: [...token, '--bwlimit', '8MB/s'] };
      {
        await using daemon = startScan(pair.root, { ...options, main: pair.old });
        {
          await using receiver = await receiverOf(pair, pair.old, port);
          await daemon.until('a file', () => has('DC1/a'));
          // With a large file half-way.
          await receiver.process.kill();
        }
        await using _ = await receiverOf(pair, undefined, port);
        await daemon.until('the large file', () => has('DC1/large'));
        await writeTree(pair.root, { 'DC1/b': 1000 });
        await daemon.until('a file for the receiver of today', () => has('DC1/b'));
        expect(await daemon.stop('SIGTERM')).toMatchObject({ exitCode: 130 });
        await using next = startScan(pair.root, options);
        await writeTree(pair.root, { 'DC1/c': 1000, 'DC1/finished.parse': '' });
        await next.until('the seal by a scan of today', () => isSealed(pair.root, 'DC1'));
        await next.stop('SIGTERM');
      }
      expect(await differencesOf(pair)).toEqual([]);
      // Back, as somebody does who has to.
      await using _ = await receiverOf(pair, pair.old, port);
      await writeTree(pair.root, { 'DC2/d': 1000, 'DC2/finished.parse': '' });
      for (const main of [undefined, pair.old]) {
        const { summary, exitCode } = await scanOnce(pair.root, { to, main, args: token });
        expect({ exitCode, files: summary.files }).toEqual({
          exitCode: 0,
          files: main === undefined ? 1 : 0,
        });
      }
      expect(isSealed(pair.root, 'DC2')).toBe(true);
      expect(await differencesOf(pair)).toEqual([]);
    },
  );

  test.skipIf(!isThere)('tokens of either version open the receiver of the other', async () => {
    await using pair = await pairOf(commit);
    // The old one has written the file; that of today adds to it.
    await writeTokenFile(pair.folder, 'edge2', await addToken('edge2', pair.tokens));
    for (const main of [pair.old, undefined]) {
      await using receiver = await receiverOf(pair, main);
      for (const device of ['edge1', 'edge2']) {
        const root = join(pair.folder, `${device}-${main === undefined}`);
        await writeTree(root, {
          [`${device}/x-${main === undefined}`]: 10,
          [`${device}/finished.parse`]: '',
        });
        const args = ['--token-file', join(pair.folder, `${device}.token`)];
        expect(await scanOnce(root, { to: receiver.url, device, args })).toMatchObject({ exitCode: 0 });
      }
    }
    expect(await readFile(pair.tokens, 'utf8')).toContain('edge2');
  });
});
