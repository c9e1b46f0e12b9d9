import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { lacks, lacksRoot, mayNot } from '../../harness/tools.ts';
import { BackupStage } from '../e2e/backup-stage.ts';
import { impossible, LoopDisk } from '../powercut/loop-disk.ts';

const MIB = 1024 * 1024;
const DISK_BYTES = 96 * MIB;
/** Of that disk, so that what a backup of `FILES` files writes has no room beside it. */
const BALLAST_BYTES = 64 * MIB;
const FILES = 10;
const FILE_BYTES = 4 * MIB;

interface Told {
  readonly backups: readonly { readonly name: string; readonly targets: readonly string[] }[];
  readonly failures: readonly { readonly target: string; readonly code: string }[];
  readonly error?: { readonly code: string };
}

const noDisks = lacksRoot() || lacks('mkfs.ext4') || lacks('rsync');

function skipUnlessMountable({ skip }: TestContext): void {
  const gap = impossible();
  skip(mayNot('mount a disk', gap?.why), 'nothing can be mounted');
}

/** Fills most of a disk; calling what it returns makes room again. */
function fill(disk: LoopDisk): () => void {
  const ballast = join(disk.path, 'ballast');
  writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES, 1));
  return () => rmSync(ballast);
}

describe.skipIf(noDisks)('a disk that is really full', () => {
  let stage: BackupStage;
  let disk: LoopDisk;
  beforeEach(async (context) => {
    skipUnlessMountable(context);
    stage = await BackupStage.start();
    disk = LoopDisk.make(stage.at('disk'), DISK_BYTES);
    onTestFinished(() => {
      disk[Symbol.dispose]();
      stage[Symbol.dispose]();
    });
    for (let at = 0; at < FILES; at++) writeFileSync(join(stage.source, `f${at}`), randomBytes(FILE_BYTES));
  });

  const restored = async (...words: readonly string[]): Promise<string> => {
    const to = stage.at('back');
    const { exitCode, stderr } = await stage.run(['restore', 'latest', '--to', to, ...words]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return stage.differences(to);
  };

  it('costs the store on it its backup and no other one, until there is room', async () => {
    const room = fill(disk);
    stage.configure({ to: [disk.path, stage.at('two')], compress: 'none', full: '7d' });
    const told = await stage.asked<Told>(['run']);
    expect(told.failures).toMatchObject([{ target: disk.path, code: 'STORE_FULL' }]);
    expect(told.backups.map(({ targets }) => targets)).toEqual([[stage.at('two')]]);
    expect(readdirSync(join(disk.path, 'app')).filter((name) => name.endsWith('.manifest'))).toEqual([]);
    expect(await restored()).toBe('');
    rmSync(stage.at('back'), { recursive: true });
    room();
    expect((await stage.run(['run'])).exitCode).toBe(0);
    expect(await restored('--target', disk.path)).toBe('');
  });

  it('that holds the state ends the run, has the room back at once, and the next run is complete', async () => {
    const room = fill(disk);
    const job = { stateDir: join(disk.path, 'state'), compress: 'none', full: '7d' };
    // What is packed faster than it is sent waits on that disk.
    stage.configure({ ...job, bwlimit: '1MB/s' });
    const { exitCode, stdout } = await stage.run(['run', '--json']);
    expect(exitCode).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: 'failed',
      backups: [],
      error: { code: 'STORE_FULL' },
    });
    const spool = join(disk.path, 'state/spool');
    expect(existsSync(spool) ? readdirSync(spool) : []).toEqual([]);
    room();
    stage.configure(job);
    expect((await stage.run(['run'])).exitCode).toBe(0);
    expect(await restored()).toBe('');
  });

  it('that is restored to ends the restore, and --resume goes on once there is room', async () => {
    stage.configure();
    expect((await stage.run(['run'])).exitCode).toBe(0);
    const room = fill(disk);
    const to = join(disk.path, 'back');
    const { exitCode, stderr } = await stage.run(['restore', 'latest', '--to', to]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 5, stderr: expect.stringContaining('STORE_FULL') });
    room();
    expect((await stage.run(['restore', 'latest', '--to', to, '--resume'])).exitCode).toBe(0);
    expect(stage.differences(to)).toBe('');
  });
});

it.skipIf(noDisks)('a source of one file system has nothing of what is mounted below it', async (context) => {
  skipUnlessMountable(context);
  using stage = await BackupStage.start();
  mkdirSync(join(stage.source, 'a'));
  writeFileSync(join(stage.source, 'a/ours'), 'ours');
  using disk = LoopDisk.make(join(stage.source, 'image'), 8 * MIB);
  writeFileSync(join(disk.path, 'theirs'), 'theirs');
  const restoredWith = async (oneFilesystem: boolean): Promise<readonly string[]> => {
    const source = { path: stage.source, exclude: ['/image', 'lost+found'], oneFilesystem };
    stage.configure({ sources: [source], to: [stage.at(oneFilesystem ? 'one' : 'two')] });
    expect((await stage.run(['run', '--adopt'])).exitCode).toBe(0);
    const to = stage.at(`back-${oneFilesystem}`);
    expect((await stage.run(['restore', 'latest', '--to', to])).exitCode).toBe(0);
    return readdirSync(join(to, stage.source), { recursive: true, encoding: 'utf8' }).toSorted();
  };
  expect(await restoredWith(true)).toEqual(['a', 'a/ours']);
  expect(await restoredWith(false)).toEqual(['a', 'a/ours', 'image.mounted', 'image.mounted/theirs']);
});
