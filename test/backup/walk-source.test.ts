import { execFileSync, spawnSync } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { comparePaths } from '../../src/backup/list/member-path.ts';
import {
  type FolderSource,
  type WalkOptions,
  type WalkStep,
  walkSource,
} from '../../src/backup/pack/walk-source.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'isync-walk-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (): number => readdirSync('/proc/self/fd').length;

function put(path: string, content = 'x'): void {
  const slash = path.lastIndexOf('/');
  if (slash >= 0) mkdirSync(join(folder, path.slice(0, slash)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

function walk(more: Partial<FolderSource> = {}, isOwn: WalkOptions['isOwn'] = () => false) {
  const source: FolderSource = {
    kind: 'folder',
    path: folder,
    exclude: [],
    oneFilesystem: false,
    allowEmpty: false,
    ...more,
  };
  return walkSource(source, { isOwn });
}

/** The members below the source, and of all else the kind. */
async function told(steps: AsyncIterable<WalkStep>): Promise<string[]> {
  const found: string[] = [];
  for await (const step of steps)
    found.push(step.kind === 'member' ? step.path.slice(folder.length) : step.kind);
  return found;
}

describe('the walk of a source', () => {
  it('goes in the order of a list, folders before what is in them', async () => {
    for (const path of ['a/x', 'a.txt', 'a b', 'a/b/c', 'A', 'ü', '\u{10000}', '\u{ffff}', 'b/1']) put(path);
    mkdirSync(join(folder, 'empty'));
    const before = open();
    const paths = await told(walk());
    const ascii = ['', 'A', 'a', 'a/b', 'a/b/c', 'a/x', 'a b', 'a.txt', 'b', 'b/1', 'empty'];
    expect(paths).toEqual([...ascii, 'ü', '\u{ffff}', '\u{10000}']);
    expect([...paths].sort(comparePaths)).toEqual(paths);
    expect(open()).toBe(before);
  });

  it('tells of what it leaves out', async () => {
    for (const path of ['keep/a', 'keep/b.tmp', 'gone/x', 'state/db', 'z']) put(path);
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    const own = lstatSync(join(folder, 'state'), { bigint: true });
    const steps = walk({ exclude: ['*.tmp', '/gone'] }, ({ dev, ino }) => dev === own.dev && ino === own.ino);
    expect(await told(steps)).toEqual(['', 'excluded', 'keep', 'keep/a', 'excluded', 'special', 'own', 'z']);
  });

  it('takes symlinks as they are, hard links as files, and names of any bytes', async () => {
    put('file');
    linkSync(join(folder, 'file'), join(folder, 'link'));
    symlinkSync('/etc', join(folder, 'etc'));
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/n`), Buffer.from([0xe9])]), 'bytes');
    const found = new Map<string, string>();
    for await (const step of walk()) {
      if (step.kind !== 'member' || step.stats.isDirectory()) continue;
      const content = step.stats.isFile() ? readFileSync(step.at, 'utf8') : 'symlink';
      found.set(step.path.slice(folder.length), content);
    }
    expect([...found]).toEqual([
      ['etc', 'symlink'],
      ['file', 'x'],
      ['link', 'x'],
      [String.raw`n\xe9`, 'bytes'],
    ]);
  });

  it('reads below the folder that it listed, where a symlink takes its place', async () => {
    put('dir/secret', 'ours');
    mkdirSync(join(folder, 'elsewhere'));
    put('elsewhere/secret', 'not ours');
    let content = '';
    for await (const step of walk()) {
      if (step.kind !== 'member') continue;
      const path = step.path.slice(folder.length);
      if (path === 'dir') {
        renameSync(join(folder, 'dir'), join(folder, 'moved'));
        symlinkSync('elsewhere', join(folder, 'dir'));
      }
      if (path === 'dir/secret') content = readFileSync(step.at, 'utf8');
    }
    expect(content).toBe('ours');
  });

  it('leaves out what went away, and closes all when it is left early', async () => {
    for (const path of ['a/1', 'a/2', 'b/1']) put(path);
    const paths: string[] = [];
    for await (const step of walk()) {
      if (step.kind !== 'member') continue;
      paths.push(step.path.slice(folder.length));
      if (paths.length === 1) rmSync(join(folder, 'b'), { recursive: true });
    }
    expect(paths).toEqual(['', 'a', 'a/1', 'a/2']);
    const before = open();
    const steps = walk();
    for (let at = 0; at < 3; at++) await steps.next();
    expect(open()).toBeGreaterThan(before);
    await steps.return(undefined);
    expect(open()).toBe(before);
  });

  it('is of one file, too', async () => {
    put('one');
    expect(await told(walk({ path: join(folder, 'one') }))).toEqual(['one']);
  });

  it('refuses a source that is missing, empty or something else', async () => {
    const refused = { code: 'SOURCE_FAILED' };
    await expect(told(walk())).rejects.toMatchObject(refused);
    expect(await told(walk({ allowEmpty: true }))).toEqual(['']);
    await expect(told(walk({ path: join(folder, 'none') }))).rejects.toMatchObject(refused);
    symlinkSync('/etc', join(folder, 'etc'));
    await expect(told(walk({ path: join(folder, 'etc') }))).rejects.toMatchObject(refused);
  });

  it('does not go on without files to open', async () => {
    // A folder is open for each of a path, and few may be.
    mkdirSync(join(folder, 'deep/'.repeat(80)), { recursive: true });
    const script = `
      const { walkSource } = await import(${JSON.stringify(new URL('../../src/backup/pack/walk-source.ts', import.meta.url).href)});
      const source = { kind: 'folder', path: ${JSON.stringify(folder)}, exclude: [], oneFilesystem: false, allowEmpty: false };
      for await (const { kind } of walkSource(source, { isOwn: () => false })) if (kind === 'problem') console.log(kind);
    `;
    const node = [process.execPath, '--input-type=module', '--eval', script];
    const { status, stdout, stderr } = spawnSync('prlimit', ['--nofile=64', ...node], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('SOURCE_FAILED');
  });
});
