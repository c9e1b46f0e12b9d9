import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCli } from '../../harness/cli.ts';
import { lacks } from '../../harness/tools.ts';
import { openFolderTarget } from '../../src/backup/target/folder/folder-target.ts';
import { makeBackup } from '../backup/made-backup.ts';
import { file } from '../backup/restoring.ts';
import { BackupStage } from '../e2e/backup-stage.ts';

let stage: BackupStage;
beforeEach(async () => {
  stage = await BackupStage.start();
  stage.configure();
  fill();
});
afterEach(() => stage[Symbol.dispose]());

function fill(): void {
  const { source } = stage;
  mkdirSync(`${source}/deep/er`, { recursive: true });
  mkdirSync(`${source}/empty`);
  for (let at = 0; at < 40; at++) writeFileSync(`${source}/deep/f${at}`, randomBytes(at * 500));
  writeFileSync(`${source}/deep/er/large`, randomBytes(5_000_000));
  writeFileSync(`${source}/app.conf`, 'one');
  linkSync(`${source}/app.conf`, `${source}/same.conf`);
  symlinkSync('deep/f1', `${source}/link`);
  utimesSync(`${source}/empty`, 1e9, 1e9);
}

const noRsync = lacks('rsync');

describe.skipIf(noRsync)('isync backup restore', () => {
  it('brings back a full one, on a machine that has only the config and the key', async () => {
    await stage.make({ type: 'full', isEncrypted: true });
    stage.configure({
      encrypt: {
        recipients: [await identityToRecipient(stage.identity)],
        identityFile: stage.at('key.txt'),
      },
    });
    const { exitCode, stdout, stderr } = await stage.run(['restore', 'latest', '--to', stage.at('back')]);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/43 files .* 1 symlink/);
    expect(stage.differences(stage.at('back'))).toBe('');
    expect(existsSync(stage.at('state-backup.yaml'))).toBe(false);
    // Without the key.
    stage.configure();
    const locked = await stage.run(['restore', 'latest', '--to', stage.at('none')]);
    expect([locked.exitCode, locked.stderr]).toEqual([2, expect.stringContaining('KEY_MISSING')]);
    expect(existsSync(stage.at('none'))).toBe(false);
  });

  it('brings back a chain of five', async () => {
    await stage.make({ type: 'full' });
    for (let at = 2; at <= 5; at++) {
      writeFileSync(`${stage.source}/deep/f${at}`, `changed ${at}`);
      rmSync(`${stage.source}/deep/f${at + 10}`);
      writeFileSync(`${stage.source}/new${at}`, `new ${at}`);
      await stage.make({ type: 'incremental', compress: at === 3 ? 'gzip' : 'zstd' });
    }
    const told = await stage.asked<{ exitCode: number; isComplete: boolean; problemCount: number }>([
      'restore',
      'latest',
      '--to',
      stage.at('back'),
    ]);
    expect(told).toMatchObject({ exitCode: 0, isComplete: true, problemCount: 0, passedOver: [] });
    expect(stage.differences(stage.at('back'))).toBe('');
  });

  it('brings back what globs name, and prints one file', async () => {
    await stage.make({ type: 'full' });
    const path = stage.source.slice(1);
    const to = stage.at('back');
    expect((await stage.run(['restore', 'latest', '*.conf', `${path}/deep/er`, '--to', to])).exitCode).toBe(
      0,
    );
    const found = execFileSync('find', [to, '-type', 'f', '-printf', '%f '], { encoding: 'utf8' });
    expect(found.trim().split(' ').toSorted()).toEqual(['app.conf', 'large', 'same.conf']);
    const printed = await stage.run(['restore', 'latest', '--stdout', `/${path}/app.conf`]);
    expect([printed.exitCode, printed.stdout, printed.stderr]).toEqual([0, 'one', '']);
    expect((await stage.run(['restore', 'latest', '--stdout', `${path}/none`])).exitCode).toBe(2);
    expect((await stage.run(['restore', 'latest', 'nothing*', '--to', stage.at('other')])).exitCode).toBe(2);
    expect(existsSync(stage.at('other'))).toBe(false);
  });

  it('takes the backup of a time, in the time zone of the job', async () => {
    for (const [hour, content] of [
      [3, 'first'],
      [9, 'second'],
      [20, 'third'],
    ] as const) {
      writeFileSync(`${stage.source}/app.conf`, content);
      await stage.make({ type: 'full', startedMs: Date.UTC(2025, 3, 5, hour, 30, 0, 123) });
    }
    const contentAt = async (time: string): Promise<string> => {
      const printed = await stage.run(['restore', '--at', time, '--stdout', `${stage.source}/app.conf`]);
      return printed.exitCode === 0 ? printed.stdout : String(printed.exitCode);
    };
    expect(await contentAt('2025-04-05 11:30:00')).toBe('first');
    expect(await contentAt('2025-04-05 17:29')).toBe('first');
    expect(await contentAt('2025-04-05T09:30:00Z')).toBe('second');
    // 20:30 UTC is the next day in Shanghai.
    expect(await contentAt('2025-04-05')).toBe('second');
    expect(await contentAt('20250405T203000Z')).toBe('third');
    expect(await contentAt('2025-04-05 11:29')).toBe('2');
    expect(await contentAt('2025-02-30')).toBe('2');
  });

  it('needs an empty folder; replaces one with --replace and keeps what was there', async () => {
    await stage.make({ type: 'full' });
    const to = stage.at('back');
    mkdirSync(to);
    writeFileSync(`${to}/mine`, 'mine');
    const refused = await stage.run(['restore', 'latest', '--to', to]);
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining('--replace')]);
    expect(readdirSync(to)).toEqual(['mine']);
    const replaced = await stage.run(['restore', 'latest', '--to', to, '--replace']);
    expect([replaced.exitCode, replaced.stdout]).toEqual([0, expect.stringContaining(`${to}.isync-old`)]);
    expect(stage.differences(to)).toBe('');
    expect(readFileSync(`${to}.isync-old/mine`, 'utf8')).toBe('mine');
  });

  it('goes on after a kill with --resume, with the backup that it has begun with', async () => {
    for (let at = 0; at < 12; at++) writeFileSync(`${stage.source}/deep/big${at}`, randomBytes(4_000_000));
    await stage.make({ type: 'full' });
    const to = stage.at('back');
    await using killed = startCli([
      'backup',
      'restore',
      'latest',
      '--to',
      to,
      '--config',
      stage.at('backup.yaml'),
    ]);
    await killed.until('some files', () => existsSync(`${to}${stage.source}/deep`) || undefined);
    await killed.stop('SIGKILL');
    const again = await stage.run(['restore', 'latest', '--to', to]);
    expect([again.exitCode, again.stderr]).toEqual([1, expect.stringContaining('--resume')]);
    const { atime, mtime } = statSync(stage.source);
    writeFileSync(`${stage.source}/newer`, 'newer');
    await stage.make({ type: 'full' });
    rmSync(`${stage.source}/newer`);
    utimesSync(stage.source, atime, mtime);
    const resumed = await stage.run(['restore', 'latest', '--to', to, '--resume']);
    expect([resumed.exitCode, resumed.stderr]).toEqual([0, '']);
    expect(stage.differences(to)).toBe('');
  });

  it('passes over what is not whole, and says so; takes it from another store', async () => {
    stage.configure({ to: [stage.at('one'), stage.at('two')] });
    await stage.make({ type: 'full' });
    writeFileSync(`${stage.source}/app.conf`, 'newer');
    const second = await stage.make({ type: 'full' });
    rmSync(stage.at('one/app', `${second.manifest.name}.files`));
    const older = await stage.run(['restore', 'latest', '--stdout', `${stage.source}/app.conf`]);
    expect([older.exitCode, older.stdout]).toEqual([0, 'one']);
    expect(older.stderr).toContain(second.manifest.name);
    await stage.make({ type: 'full', store: 'two', version: 2 });
    const other = await stage.run(['restore', 'latest', '--stdout', `${stage.source}/app.conf`]);
    expect([other.exitCode, other.stdout]).toEqual([0, 'newer']);
    rmSync(stage.at('one'), { recursive: true });
    const left = await stage.run(['restore', second.manifest.name, '--stdout', `${stage.source}/app.conf`]);
    expect([left.exitCode, left.stdout]).toEqual([0, 'newer']);
    expect(left.stderr).toContain('STORE_MISSING');
  });

  it('ends with 1 where something is damaged, with all the rest restored', async () => {
    const { manifest } = await stage.make({ type: 'full', compress: 'none' });
    const path = stage.at('one/app', manifest.name);
    const bytes = readFileSync(path);
    // Of the large one.
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes);
    const told = await stage.asked<{ problemCount: number; files: number; exitCode: number }>([
      'restore',
      'latest',
      '--to',
      stage.at('back'),
    ]);
    expect(told).toMatchObject({ exitCode: 1, isComplete: false, problemCount: 1, files: 42 });
  });

  it('writes nothing outside, whatever a list says, and refuses a manifest that leads elsewhere', async () => {
    await using target = openFolderTarget({ path: stage.at('one'), job: 'app' });
    const outside = stage.at('outside');
    mkdirSync(outside);
    const evil = await makeBackup({
      target,
      members: [file('a'), { path: 'dir', type: 'symlink', target: outside }, file('zz')],
      forge: (records) =>
        records.map((each) =>
          each.path === 'zz' ? { ...each, path: '../../outside/zz' as typeof each.path } : each,
        ),
    });
    const { exitCode, stderr } = await stage.run(['restore', 'latest', '--to', stage.at('back')]);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('BACKUP_DAMAGED')]);
    expect(readdirSync(outside)).toEqual([]);
    expect(existsSync(stage.at('back'))).toBe(false);
    const key = stage.at('one/app', `${evil.manifest.name}.manifest`);
    const text = readFileSync(key, 'utf8').replaceAll(evil.manifest.list.key, '../../outside/list');
    writeFileSync(key, text);
    const listed = await stage.run(['list']);
    expect([listed.exitCode, listed.stdout]).toEqual([1, expect.stringContaining('unreadable')]);
    expect((await stage.run(['restore', evil.manifest.name, '--to', stage.at('back')])).exitCode).toBe(2);
  });

  it.each([
    [['restore'], 'which backup?'],
    [['restore', 'latest'], '--to DIR'],
    [['restore', 'latest', 'x', '--stdout', 'y'], '--stdout prints one file'],
    [['restore', 'latest', '--stdout', 'y', '--json'], 'does not go with --json'],
    [['restore', 'latest', '!x', '--to', '/tmp/isync-none'], 'there are no exceptions'],
    [['restore', 'nothing', '--to', '/tmp/isync-none'], 'there is no backup nothing'],
    [['restore', '--at', 'noon', '--to', '/tmp/isync-none'], 'is no time'],
    [['restore', 'latest', '--to', '/tmp/isync-none', '--target', 's3://x'], 'has no target s3://x'],
    [['restore', 'latest', '--to', '/tmp/isync-none', '--job', 'ap'], 'did you mean "app"?'],
  ])('%j is refused', async (words, told) => {
    const { exitCode, stderr } = await stage.run(words);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(told)]);
  });
});

describe.skipIf(noRsync)('without isync, a full one comes back', () => {
  const tools = { zstd: lacks('zstd'), gzip: false, none: false };

  it.each([
    ['zstd', true],
    ['zstd', false],
    ['gzip', true],
    ['none', false],
  ] as const)('by tar, %s, and age: %s', async (compress, isEncrypted) => {
    if (tools[compress] || (isEncrypted && lacks('age'))) return;
    const { manifest } = await stage.make({ type: 'full', compress, isEncrypted });
    const to = stage.at('back');
    mkdirSync(to);
    const open = isEncrypted ? `age -d -i ${stage.at('key.txt')} < "$1"` : 'cat "$1"';
    const unpack = { zstd: 'zstd -dc', gzip: 'gunzip -c', none: 'cat' }[compress];
    const script = `set -o pipefail; ${open} | ${unpack} | tar -xpC "$2"`;
    execFileSync('bash', ['-c', script, 'sh', stage.at('one/app', manifest.name), to]);
    expect(stage.differences(to)).toBe('');
    expect(
      createHash('sha256')
        .update(readFileSync(`${to}${stage.source}/app.conf`))
        .digest('hex'),
    ).toBe(createHash('sha256').update('one').digest('hex'));
  });
});
