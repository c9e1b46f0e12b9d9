import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { FRAME_BYTES } from '../../src/backup/pack/frames.ts';
import type { ReadContext } from '../../src/backup/read/read-context.ts';
import { restore, type Restored, type RestoreRequest } from '../../src/backup/restore/restore.ts';
import { RecordingLog } from '../recording-log.ts';
import type { MadeBackup, Member } from './made-backup.ts';
import type { MemoryTarget } from './memory-target.ts';

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'isync-restore-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function contextOf(target: MemoryTarget, more: Partial<ReadContext> = {}): ReadContext {
  return { target, decryption: undefined, log: new RecordingLog(), ...more };
}

export async function restored(
  target: MemoryTarget,
  { manifest }: MadeBackup,
  to: string,
  { context, ...more }: Partial<RestoreRequest> = {},
): Promise<Restored> {
  const given = { manifest, to, globs: [], isReplace: false, isResume: false, ...more };
  return await restore({ ...given, context: context ?? contextOf(target) });
}

export const file = (path: string, content: string | Buffer = path): Member => ({
  path,
  content: Buffer.from(content),
});

/** A folder with one of each kind. */
export function makeSource(): string {
  const source = join(newFolder(), 'src');
  mkdirSync(join(source, 'a/deep/er'), { recursive: true });
  mkdirSync(join(source, 'empty'));
  for (let at = 0; at < 300; at++) writeFileSync(join(source, `a/f${at}`), randomBytes(at * 37));
  writeFileSync(join(source, 'a/deep/er/large'), randomBytes(2 * FRAME_BYTES + 12_345));
  writeFileSync(join(source, 'a/deep/none'), '');
  writeFileSync(join(source, 'secret'), 'x', { mode: 0o400 });
  writeFileSync(join(source, 'program'), 'x');
  execFileSync('chmod', ['6755', join(source, 'program')]);
  writeFileSync(Buffer.concat([Buffer.from(`${source}/caf`), Buffer.from([0xe9])]), 'latin');
  linkSync(join(source, 'a/f7'), join(source, 'z-same'));
  symlinkSync('../a/f7', join(source, 'a/points'));
  symlinkSync('/nowhere/at all', join(source, 'dangling'));
  symlinkSync('a', join(source, 'b'));
  utimesSync(join(source, 'a/deep/none'), '-5.5', '-5.5');
  execFileSync('touch', ['-h', '-d', '2001-02-03 04:05:06.999999999', join(source, 'dangling')]);
  execFileSync('touch', ['-d', '1999-12-31 23:59:59.999999999', join(source, 'program')]);
  execFileSync('chmod', ['500', join(source, 'a/deep')]);
  utimesSync(join(source, 'empty'), 1e9, 1e9);
  utimesSync(join(source, 'a'), 1e9 + 1, 1e9 + 1);
  return source;
}

/** What rsync would change to make the one what the other is. */
export function differences(one: string, other: string): string {
  return execFileSync('rsync', ['-anicH', '--delete', `${one}/`, `${other}/`], { encoding: 'utf8' });
}
