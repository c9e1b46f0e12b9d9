import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { until } from '../../harness/process.ts';
import { filesBelow, isMarked, temporaryFolder } from '../../harness/data-tree.ts';
import { isRoot } from '../../harness/gaps.ts';
import { lacks, lacksRoot, mayNot } from '../../harness/tools.ts';
import { startStage, untilSealed, type Stage } from '../../harness/stage.ts';

/** A user who owns nothing, for tests that root runs; see passwd(5). */
const NOBODY = 65_534;
/** Longest wait for the news that the store is full, in ms. */
const FULL_TOLD_MS = 15_000;

function skipUnlessMounted({ ok }: { readonly ok: boolean }, { skip }: TestContext): void {
  skip(mayNot('mount', ok ? undefined : 'mount fails'), 'nothing can be mounted');
}

describe('disks and permissions', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage();
  });
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
  });

  test('files of somebody else are sent, but no mark is kept: exit code 5', async (context) => {
    context.skip(lacksRoot(), 'not root');
    const edge = await stage.edge('others');
    await edge.write({ 'DC1/a': 10, 'DC1/finished.parse': '' });
    await chmod(stage.folder, 0o755);
    const { exitCode, stderr } = await edge.scan([], { uid: NOBODY });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 5,
      stderr: expect.stringMatching(/MARK_NOT_KEPT|READ_ONLY/),
    });
    expect(edge.sealed('DC1')).toBe(false);
    expect([...(await filesBelow(edge.root)).values()].some(isMarked)).toBe(false);
  });

  test('a file that may not be read is told and keeps the seal away: exit code 1', async () => {
    const edge = await stage.edge('unreadable');
    await edge.write({ 'DC1/secret': 10, 'DC1/good': 10, 'DC1/closed/x': 10, 'DC1/finished.parse': '' });
    if (isRoot) await giveToNobody(edge.root, stage.folder);
    await chmod(join(edge.root, 'DC1/secret'), 0o000);
    await chmod(join(edge.root, 'DC1/closed'), 0o000);
    const { exitCode, summary } = await edge.scan([], isRoot ? { uid: NOBODY } : {});
    await chmod(join(edge.root, 'DC1/closed'), 0o755);
    expect(summary.problems.map(({ code, path }) => `${code} ${path}`).toSorted()).toEqual([
      'FILE_UNREADABLE DC1/closed',
      'FILE_UNREADABLE DC1/secret',
    ]);
    expect({ exitCode, sealed: edge.sealed('DC1'), good: edge.has('DC1/good') }).toEqual({
      exitCode: 1,
      sealed: false,
      good: true,
    });
  });

  test('a file that can not be marked keeps its own directory open, and no other', async (context) => {
    const edge = await stage.edge('immutable');
    for (const name of ['A', 'B', 'C'])
      await edge.write({ [`${name}/f1`]: 10, [`${name}/f2`]: 20, [`${name}/finished.parse`]: '' });
    const file = join(edge.root, 'A/f2');
    context.skip(lacksRoot() || lacks('chattr'), 'not root, or no chattr');
    const isFixed = spawnSync('chattr', ['+i', file]).status === 0;
    context.skip(mayNot('make a file immutable', isFixed ? undefined : 'chattr fails'), 'chattr fails');
    try {
      await using daemon = edge.daemon();
      await untilSealed(edge, ['B', 'C'], daemon);
      await daemon.until('the problem', () => daemon.stderr.includes('MARK_NOT_KEPT'));
      expect({ over: daemon.over, sealed: edge.sealed('A') }).toEqual({ over: false, sealed: false });
      expect(await edge.differences((path) => path === 'A/finished.parse')).toEqual([]);
    } finally {
      execFileSync('chattr', ['-i', file]);
    }
  });

  test('a root that is mounted read-only ends with 5', async (context) => {
    const edge = await stage.edge('read-only');
    await edge.write({ 'DC1/a': 10, 'DC1/finished.parse': '' });
    await using mounted = mount(['--bind', '-o', 'ro', edge.root, edge.root], edge.root);
    skipUnlessMounted(mounted, context);
    const { exitCode, stderr } = await edge.scan();
    expect({ exitCode, stderr }).toEqual({ exitCode: 5, stderr: expect.stringContaining('READ_ONLY') });
  });

  test('files that vanish before they are sent are no problem', async () => {
    const edge = await stage.edge('vanishing');
    // The first goes slowly; by then the others are listed and wait their turn.
    await edge.write({ 'DC1/a-first': 1_500_000 });
    const names = Array.from({ length: 50 }, (_, index) => `DC1/vanishing-${index}`);
    await edge.write(Object.fromEntries(names.map((name) => [name, 200_000])));
    await edge.write({ 'DC1/finished.parse': '' });
    const scanning = edge.scan(['--bwlimit', '3MB/s']);
    await until('something to arrive', async () => (await filesBelow(edge.copy)).size > 0);
    for (const name of names) await rm(join(edge.root, name));
    const { exitCode, summary } = await scanning;
    expect({ exitCode, problems: summary.problems, sealed: edge.sealed('DC1') }).toEqual({
      exitCode: 0,
      problems: [],
      sealed: true,
    });
    expect(summary.files).toBeLessThan(names.length + 1);
  });

  test('a full disk at the receiver is waited for, and nothing half is seen', async (context) => {
    await using disk = await temporaryFolder('disk');
    await using mounted = mount(['-t', 'tmpfs', '-o', 'size=8m', 'none', disk.path], disk.path);
    skipUnlessMounted(mounted, context);
    await using full = await startStage({ parent: disk.path });
    const ballast = join(disk.path, 'ballast');
    await writeFile(ballast, Buffer.alloc(4 * 1024 * 1024));
    const edge = await full.edge('edge1');
    await using elsewhere = await temporaryFolder('root');
    Object.assign(edge, { root: join(elsewhere.path, 'datas') });
    await mkdir(edge.root);
    await edge.write({ 'DC1/small': 1000, 'DC1/big': 5_000_000, 'DC1/finished.parse': '' });
    await using daemon = edge.daemon();
    await daemon.until(
      'the sender to say that the store is full',
      () => daemon.stderr.includes('STORE_FULL'),
      FULL_TOLD_MS,
    );
    expect([edge.has('DC1/big'), edge.sealed('DC1')]).toEqual([false, false]);
    await rm(ballast);
    await daemon.until('all to arrive', () => edge.sealed('DC1'));
    expect(await edge.differences()).toEqual([]);
  });
});

async function giveToNobody(root: string, folder: string): Promise<void> {
  await chmod(folder, 0o755);
  await chown(root, NOBODY, NOBODY);
  execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, root]);
}

/** Mounts until the end of the scope; `ok` is false where this is not allowed. */
function mount(args: readonly string[], at: string): AsyncDisposable & { readonly ok: boolean } {
  const ok = isRoot && spawnSync('mount', args).status === 0;
  return {
    ok,
    [Symbol.asyncDispose]: async () => {
      if (ok) execFileSync('umount', [at]);
    },
  };
}
