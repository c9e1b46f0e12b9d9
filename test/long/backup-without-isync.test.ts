import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import { BackupStage } from '../e2e/backup-stage.ts';

const DOCS = readFileSync(new URL('../../docs/backup.md', import.meta.url), 'utf8');
const [, CHAPTER = ''] = /^### Without isync\n(.*?)^#/ms.exec(DOCS)!;
/** What is done for a full backup, a line for each form; for an incremental one; for either of them at last; for a single file. */
const [FULLS = '', INCREMENTAL = '', GONE = '', ONE = ''] = [...CHAPTER.matchAll(/^```sh\n(.*?)^```/gms)].map(
  ([, block = '']) => block,
);

let stage: BackupStage;
beforeEach(async () => {
  stage = await BackupStage.start();
  mkdirSync(join(stage.source, 'deep/er'), { recursive: true });
  for (let at = 0; at < 30; at++) writeFileSync(join(stage.source, `deep/f${at}`), randomBytes(at * 500));
  writeFileSync(join(stage.source, 'deep/er/large'), randomBytes(9_000_000));
  writeFileSync(join(stage.source, 'a.txt'), 'one');
  symlinkSync('deep/f1', join(stage.source, 'link'));
});
afterEach(() => stage[Symbol.dispose]());

/** Where a person has brought the objects of the store, and unpacks them. */
function store(): string {
  return stage.at('one/app');
}

function back(): string {
  return join(store(), 'back');
}

async function run(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await stage.run(['run', ...args, '--json']);
  expect([exitCode, stderr]).toEqual([0, '']);
  const { backups } = JSON.parse(stdout) as { backups: readonly { name: string }[] };
  return backups[0]!.name;
}

/** Changes of which no tar has a member: a second name, another mode or owner, of files whose content stays. */
function changeBeside(): void {
  linkSync(join(stage.source, 'deep/er/large'), join(stage.source, "deep/it's -large"));
  chmodSync(join(stage.source, 'a.txt'), 0o4701);
  chmodSync(join(stage.source, 'deep/f20'), 0o600);
  if (process.getuid?.() === 0) chownSync(join(stage.source, 'deep/f21'), 1234, 1235);
}

/** What the lines print, with the names that stand for others replaced. */
function shell(lines: string, names: Readonly<Record<string, string>>): string {
  mkdirSync(back(), { recursive: true });
  const script = Object.entries(names).reduce((text, [from, to]) => text.replaceAll(from, to), lines);
  return execFileSync('bash', ['-euc', script], { cwd: store(), encoding: 'utf8' });
}

/** What the lines find that is not of the backup, without the folders above the source. */
function foundGone(backup: string): string[] {
  const own = stage.source.slice(1);
  const found = shell(GONE, { 'BACKUP.tar.zst': backup }).trim().split('\n');
  return found.filter((path) => path !== '' && !own.startsWith(`${path}/`)).toSorted();
}

const isLeftOut = [lacks('age'), lacks('jq'), lacks('rsync'), lacks('zstd')].includes(true);

describe.skipIf(isLeftOut)('by the lines of docs/backup.md', () => {
  it.each(FULLS.trim().split('\n'))('a full backup comes back: %s', async (line) => {
    const name = /FULL[.\w]+/.exec(line)![0];
    stage.configure({
      compress: name.includes('.gz') ? 'gzip' : 'zstd',
      ...(name.endsWith('.age') && { encrypt: { recipients: [await identityToRecipient(stage.identity)] } }),
    });
    const made = await run();
    copyFileSync(stage.at('key.txt'), join(store(), 'backup.key'));
    shell(line, { [name]: made });
    expect(stage.differences(back())).toBe('');
  });

  it('of a full one is found what its list does not have', async () => {
    stage.configure();
    const name = await run();
    const own = stage.source.slice(1);
    shell(FULLS.split('\n')[0]!, { 'FULL.tar.zst': name });
    expect(foundGone(name)).toEqual([]);
    writeFileSync(join(back(), own, 'zeros'), Buffer.alloc(100));
    expect(foundGone(name)).toEqual([`${own}/zeros`]);
  });

  it('an incremental one comes back, and a single file of it', async () => {
    stage.configure({ full: '7d' });
    await run();
    const inFirst = readFileSync(join(stage.source, 'deep/er/large'));
    for (let at = 1; at <= 3; at++) {
      writeFileSync(join(stage.source, `deep/f${at}`), `changed ${at}`);
      rmSync(join(stage.source, `deep/f${at + 10}`));
      writeFileSync(join(stage.source, `new${at}`), `new ${at}`);
      if (at === 3) {
        rmSync(join(stage.source, 'new1'));
        changeBeside();
      }
      await run();
    }
    const newest = readdirSync(store()).find((name) => name.includes('_004') && name.endsWith('.zst'))!;
    shell(INCREMENTAL, { 'INCREMENTAL.tar.zst': newest });
    const own = stage.source.slice(1);
    const gone = foundGone(newest);
    expect(gone).toEqual([`${own}/deep/f11`, `${own}/deep/f12`, `${own}/deep/f13`, `${own}/new1`].toSorted());
    for (const path of gone) rmSync(join(back(), path));
    // A folder that something is removed from, or linked into, has another time.
    expect(stage.differences(back()).replaceAll(/^\.d\.\.t.*\n/gm, '')).toBe('');

    const [asked = '', cut = ''] = ONE.trim().split('\n');
    for (const [path, content] of [
      ['deep/er/large', inFirst],
      ['deep/f2', Buffer.from('changed 2')],
    ] as const) {
      const names = { 'INCREMENTAL.tar.zst': newest, 'srv/app/a.txt': `${own}/${path}` };
      const [archive = '', ...numbers] = shell(asked, names).trim().split('\t');
      const key = readdirSync(store()).find(
        (name) => name.includes(`_00${archive}`) && name.endsWith('.zst'),
      )!;
      const set = ['FROM', 'TO', 'SKIP', 'SIZE'].map((name, index) => `${name}=${numbers[index]}`).join('; ');
      shell(`${set}\n${cut}`, { ARCHIVE: key });
      expect(readFileSync(join(store(), 'a.txt')).equals(content)).toBe(true);
    }
  });
});
