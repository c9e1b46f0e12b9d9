import { chmodSync, existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type * as nodeFs from 'node:fs';
import type * as nodeOs from 'node:os';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type FileIdentity, identityOf } from '../../src/model/file-identity.ts';
import type { DirectorySync as Sync } from '../../src/sender/directory-sync.ts';
import { lacks } from '../../harness/tools.ts';
import { mapFile } from './mapped-writer.ts';
import { bound, isMarked, optionsFor, setup } from './scan-fixture.ts';
import { usingForTest } from './receiver-fixture.ts';
import { SourceFolder } from './source-folder.ts';

const EXT4 = 0xef53;
const TMPFS = 0x01021994;
const NFS = 0x6969;

const machine = vi.hoisted(() => ({ type: 0, release: '', synced: 0 }));

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof nodeFs>();
  return {
    ...fs,
    statfsSync: (path: string) => Object.assign(fs.statfsSync(path), { type: machine.type }),
    fdatasync: (fd: number, done: () => void) => {
      machine.synced++;
      fs.fdatasync(fd, done);
    },
  };
});
vi.mock('node:os', async (original) => ({
  ...(await original<typeof nodeOs>()),
  release: () => machine.release,
}));

let folder: SourceFolder;
let file: FileIdentity;

beforeEach(() => {
  Object.assign(machine, { type: EXT4, release: '5.8.0-1-amd64', synced: 0 });
  folder = usingForTest(new SourceFolder());
  folder.write('DC1/a', 'content');
  file = old(identityOf(lstatSync(folder.path('DC1/a'))));
});

describe('a sync of a directory', () => {
  test('covers what was listed before it, once it has ended', async () => {
    const program = fakeSync('while ! [ -e "$0.go" ]; do sleep 0.01; done; printf "%s\\n" "$@" > "$0.asked"');
    const sync = await start();
    expect(sync?.running).toBe(true);
    expect(sync?.covers(file)).toBe(false);
    writeFileSync(`${program}.go`, '');
    await vi.waitFor(() => expect(sync?.covers(file)).toBe(true), 60_000);
    expect(sync?.running).toBe(false);
    expect(readFileSync(`${program}.asked`, 'utf8')).toBe(`-f\n${folder.path('DC1')}\n`);
  });

  test('is what the machine’s own sync does', async () => {
    const sync = await start();
    await vi.waitFor(() => expect(sync?.running).toBe(false), 60_000);
    expect(sync?.covers(file)).toBe(true);
  });

  test('covers nothing of another device', async () => {
    fakeSync('exit 0');
    const sync = await start();
    await vi.waitFor(() => expect(sync?.covers(file)).toBe(true), 60_000);
    expect(sync?.covers({ ...file, dev: file.dev + 1 })).toBe(false);
  });

  test.each([
    ['20 ms', 10],
    ['a second where times are whole seconds', 500],
  ])('covers no file written within %s of its start', async (_, ageMs) => {
    fakeSync('exit 0');
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000_000_000 + ageMs });
    onTestFinished(() => void vi.useRealTimers());
    const sync = await start();
    await vi.waitFor(() => expect(sync?.running).toBe(false), 60_000);
    expect(sync?.covers({ ...file, ctimeMs: 1_000_000_000_000 })).toBe(false);
    expect(sync?.covers({ ...file, ctimeMs: 1_000_000_000_000 - 1000 })).toBe(true);
  });

  test.each([
    ['fails', 'exit 1'],
    ['ignores what it is told', 'echo "sync: ignoring all arguments" >&2'],
    ['is killed', 'kill -9 $$'],
  ])('covers nothing where sync %s, and is not tried again', async (_, script) => {
    fakeSync(script);
    const { DirectorySync } = await fresh();
    const sync = DirectorySync.start(folder.path('DC1'));
    await vi.waitFor(() => expect(sync?.running).toBe(false), 60_000);
    expect(sync?.covers(file)).toBe(false);
    expect(DirectorySync.start(folder.path('DC1'))).toBeUndefined();
  });

  test('covers nothing where there is no sync', async () => {
    vi.stubEnv('PATH', '/nowhere');
    onTestFinished(() => void vi.unstubAllEnvs());
    const sync = await start();
    await vi.waitFor(() => expect(sync?.running ?? false).toBe(false), 60_000);
    expect(sync?.covers(file) ?? false).toBe(false);
  });

  test.each(['5.7.19', '4.19.0-27-amd64', 'unknown'])('is not made by Linux %s', async (release) => {
    machine.release = release;
    expect(await start()).toBeUndefined();
  });

  test('is not made on a file system that is not known to sync all, nor of what is gone', async () => {
    machine.type = NFS;
    expect(await start()).toBeUndefined();
    machine.type = EXT4;
    expect((await fresh()).DirectorySync.start(folder.path('DC2'))).toBeUndefined();
  });

  test('is nothing in memory', async () => {
    machine.type = TMPFS;
    vi.stubEnv('PATH', '/nowhere');
    onTestFinished(() => void vi.unstubAllEnvs());
    expect((await start())?.covers(file)).toBe(true);
  });

  test('is one of few at a time, and ends when nobody needs it', async () => {
    const program = fakeSync('echo $$ >> "$0.pids"; exec sleep 60');
    const { DirectorySync } = await fresh();
    const most = [1, 2, 3, 4].map(() => DirectorySync.start(folder.path('DC1')));
    for (const sync of most) expect(sync?.running).toBe(true);
    expect(DirectorySync.start(folder.path('DC1'))).toBeUndefined();
    const pids = await vi.waitUntil(() => {
      const told = existsSync(`${program}.pids`) ? readFileSync(`${program}.pids`, 'utf8') : '';
      return told.split('\n').length > most.length && told.trim().split('\n').map(Number);
    }, 60_000);
    for (const sync of most) sync?.[Symbol.dispose]();
    for (const pid of pids)
      await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 60_000);
    const another = DirectorySync.start(folder.path('DC1'));
    expect(another?.running).toBe(true);
    another?.[Symbol.dispose]();
  });

  test.skipIf(lacks('python3'))(
    'gives a file new times by each later store through a memory map',
    async () => {
      const map = await mapFile(folder.path('DC1/a'));
      const sync = await start();
      await vi.waitFor(() => expect(sync?.running).toBe(false), 60_000);
      const before = lstatSync(folder.path('DC1/a')).mtimeMs;
      await map.store();
      expect(lstatSync(folder.path('DC1/a')).mtimeMs).toBeGreaterThan(before);
    },
  );
});

describe('a scan of many files', () => {
  const FILES = 1500;

  test.each([
    ['syncs them all together', 'exit 0', 1, FILES / 2],
    ['syncs each by itself where they can’t be synced together', 'exit 1', FILES + 1, FILES + 1],
  ])('%s', async (_, script, least, most) => {
    const program = fakeSync(`echo >> "$0.asked"; ${script}`);
    vi.resetModules();
    const { scan } = await import('../../src/sender/scan/scan.ts');
    const { root, target, at, write, kept } = setup();
    for (let n = 0; n < FILES; n++) write(`DC1/${n % 7}/${n}`);
    write('DC1/finished.parse');
    // Those that fill the way to the target; by then the sync has ended.
    const ended = Promise.withResolvers<void>();
    const slow = {
      ...bound(target),
      put: async (...args: Parameters<typeof target.put>) => {
        await ended.promise;
        return await target.put(...args);
      },
    };
    void vi
      .waitFor(() => expect(existsSync(`${program}.asked`)).toBe(true), 60_000)
      .finally(() => setTimeout(ended.resolve, 500));
    const { summary } = await scan(optionsFor(root, slow).options);
    expect(summary).toMatchObject({ files: FILES, problems: [], directories: [{ sealed: true }] });
    expect(readFileSync(`${program}.asked`, 'utf8')).toBe('\n');
    expect(machine.synced).toBeGreaterThanOrEqual(least);
    expect(machine.synced).toBeLessThanOrEqual(most);
    expect(isMarked(at('DC1/0/0'))).toBe(true);
    expect(await kept('DC1/6/1490')).toBe('DC1/6/1490'.length);
  });
});

/** With no memory of what other tests have seen fail. */
async function fresh() {
  vi.resetModules();
  return await import('../../src/sender/directory-sync.ts');
}

async function start(): Promise<Sync | undefined> {
  const { DirectorySync } = await fresh();
  const sync = DirectorySync.start(folder.path('DC1'));
  if (sync !== undefined) usingForTest(sync);
  return sync;
}

/** Puts a program of this name before the machine's own. */
function fakeSync(script: string): string {
  const bin = mkdtempSync(join(tmpdir(), 'isync-bin-'));
  writeFileSync(join(bin, 'sync'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, 'sync'), 0o755);
  vi.stubEnv('PATH', `${bin}${delimiter}${process.env['PATH']}`);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(bin, { recursive: true, force: true });
  });
  return join(bin, 'sync');
}

function old(identity: FileIdentity): FileIdentity {
  return { ...identity, ctimeMs: identity.ctimeMs - 60_000 };
}
