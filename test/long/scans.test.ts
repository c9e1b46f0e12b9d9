import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { writeTree } from '../../harness/data-tree.ts';
import { isync, startIsync, type Ended } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

const WAIT = { timeout: 60_000 };

/** Of each test; what is named below is in it. */
let folder = '';
beforeEach(() => {
  folder = temporaryFolder();
  for (const name of ['a', 'b', 'store-a', 'store-b']) mkdirSync(join(folder, name));
});

/** Writes a config file, in which paths are below the folder, and runs a command with it. */
async function run(command: readonly string[], settings: object): Promise<Ended> {
  writeFileSync(join(folder, 'isync.yaml'), JSON.stringify(settings));
  return await isync([...command, '--config', 'isync.yaml'], { cwd: folder });
}

const scanOnce = (settings: object): Promise<Ended> => run(['scan', '--once', '--json'], settings);
const A = { root: 'a', to: 'store-a', device: 'edge1' };
const B = { root: 'b', to: 'store-b', device: 'edge1' };

describe('scans of a config file', () => {
  it('run in one process, each with its own settings before those of all', async () => {
    await writeTree(folder, { 'a/DC1/x.raw': 3, 'a/DC1/x': 5, 'b/DC1/y.raw': 7 });
    await writeTree(folder, { 'a/DC1/finished.parse': '', 'b/DC1/finished.parse': '' });
    const { code, stdout, stderr } = await scanOnce({
      scan: { ignore: ['*.raw'] },
      scans: [A, { ...B, ignore: [] }],
    });
    expect(JSON.parse(stdout)).toMatchObject({
      scans: [
        { root: join(folder, 'a'), to: join(folder, 'store-a'), device: 'edge1', files: 1, ignored: 1 },
        { root: join(folder, 'b'), to: join(folder, 'store-b'), files: 1, bytes: 7, exitCode: 0 },
      ],
      files: 2,
      bytes: 12,
      problemCount: 0,
      exitCode: 0,
    });
    expect(code).toBe(0);
    expect(stderr).toContain(`"root":"${join(folder, 'b')}","directory":"DC1","msg":"directory sealed"`);
  });

  it('end with the gravest code, and what fails of one leaves the others their work', async () => {
    await writeTree(folder, { 'a/DC1/x': 3, 'b/DC1/y': 7 });
    symlinkSync('x', join(folder, 'a/DC1/link'));
    const { code, stdout, stderr } = await scanOnce({
      scans: [{ root: 'gone', to: 'store-a', device: 'edge2' }, A, B],
    });
    expect(JSON.parse(stdout)).toMatchObject({
      scans: [
        { exitCode: 5, error: { code: 'ROOT_MISSING' }, files: 0 },
        { exitCode: 1, problemCount: 1, files: 1 },
        { exitCode: 0, files: 1 },
      ],
      exitCode: 5,
    });
    expect(code).toBe(5);
    expect(stderr).toContain(`isync: ${join(folder, 'gone')}: `);
  });

  it.each([
    ['the same', 'a', 'are the same root'],
    ['behind a symlink', 'link', 'are the same root'],
    ['behind a symlink to what is not there yet', 'dangling', 'lies in the root'],
    ['within the other', 'a/sub', 'lies in the root'],
    ['around the other', '.', 'lies in the root'],
  ])('refuse two roots of which one is %s, and say the way round', async (_, root, reason) => {
    mkdirSync(join(folder, 'a/sub'));
    symlinkSync('a', join(folder, 'link'));
    symlinkSync('link/later', join(folder, 'dangling'));
    const { code, stdout, stderr } = await scanOnce({
      scans: [A, { root, to: 'ws://127.0.0.1:9', device: 'other' }],
    });
    expect(code).toBe(2);
    expect(stderr).toContain("two scans can't share a root: ");
    expect(stderr).toContain(reason);
    expect(stderr).toContain('send them to one receiver');
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'CONFIG_INVALID' } });
  });

  it.each([
    ['the root of another', 'b', 'are the same root'],
    ['the target of another', 'store-b', 'are not apart'],
  ])('is refused, and no other, whose root is %s since its disk is mounted', async (_, leads, reason) => {
    await writeTree(folder, { 'b/DC1/y': 7, 'store-b/edge2/old': 1 });
    const scans = [{ ...A, root: 'disk/data' }, B];
    writeFileSync(join(folder, 'isync.yaml'), JSON.stringify({ scans }));
    const args = ['scan', '--json', '--config', 'isync.yaml'];
    const scan = startIsync(args, { cwd: folder });
    try {
      const failed = `"root":"${join(folder, 'disk/data')}","err":{"type":"IsyncError","code":`;
      await vi.waitFor(() => expect(scan.stderr()).toContain(`${failed}"ROOT_MISSING"`), WAIT);
      mkdirSync(join(folder, 'disk'));
      symlinkSync(join(folder, leads), join(folder, 'disk/data'));
      await vi.waitFor(() => expect(scan.stderr()).toContain(`${failed}"CONFIG_INVALID"`), WAIT);
      expect(scan.stderr()).toContain(reason);
      await writeTree(folder, { 'b/DC1/z': 9 });
      await vi.waitFor(() => expect(existsSync(join(folder, 'store-b/edge1/DC1/z'))).toBe(true), WAIT);
      scan.child.kill('SIGTERM');
      await scan.ended;
      expect(JSON.parse(scan.stdout())).toMatchObject({
        scans: [
          { files: 0, error: { code: 'CONFIG_INVALID' } },
          { files: 2, exitCode: 130 },
        ],
      });
      expect(existsSync(join(folder, 'store-a/edge1'))).toBe(false);
    } finally {
      scan.child.kill('SIGKILL');
      await scan.ended;
    }
  });

  it('have a way round: what a receiver keeps is sent on from its store', async () => {
    await writeTree(folder, { 'a/DC1/x': 3, 'a/DC1/finished.parse': '' });
    expect(await scanOnce({ scans: [A] })).toMatchObject({ code: 0 });
    const on = await scanOnce({ scans: [{ root: 'store-a/edge1', to: 'store-b', device: 'edge1' }] });
    expect(JSON.parse(on.stdout)).toMatchObject({
      scans: [{ directories: [{ name: 'DC1', sealed: true }] }],
    });
  });

  it('refuse a target folder in the root of another, and one device twice at a target', async () => {
    const within = await scanOnce({ scans: [A, { ...B, to: 'a/kept' }] });
    expect(within).toMatchObject({ code: 2, stderr: expect.stringContaining('are not apart') as string });
    const twice = await scanOnce({ scans: [A, { ...B, to: 'store-a' }] });
    expect(twice.code).toBe(2);
    expect(twice.stderr).toContain('scans[1].device: "edge1" sends to');
  });

  it('tell every fault with its place', async () => {
    writeFileSync(
      join(folder, 'isync.yaml'),
      'scan:\n  root: x\nscans:\n  - root: a\n    devce: e\n  - root: b\n    to: store-b\n    settle: never\n  - once: true\n  - text\n  - to: store-a\n',
    );
    const { code, stderr } = await isync(['scan', '--config', 'isync.yaml'], { cwd: folder });
    expect(code).toBe(2);
    for (const fault of [
      'root: is given beside "scans"',
      'devce: is no setting of a scan; did you mean "device"? (isync.yaml, line 5)',
      'scans[0].to: is missing',
      'scans[1].settle: "never" is no duration',
      'scans[2].once: holds for all scans; give it in the section "scan" (isync.yaml, line 9)',
      'scans[3]: is no map of settings (isync.yaml, line 10)',
      'scans[4]: has no "root" (isync.yaml, line 11)',
    ])
      expect(stderr).toContain(fault);
    const none = await run(['scan'], { scans: [] });
    expect(none.stderr).toContain('scans: is no list of scans');
  });

  it('are looked at by isync doctor, each by its root', async () => {
    const { code, stdout } = await run(['doctor', 'scan'], { scans: [A, { ...B, root: 'gone' }] });
    expect(code).toBe(1);
    expect(stdout).toContain(`ok    ${join(folder, 'a')}: marks: `);
    expect(stdout).toContain(`fail  ${join(folder, 'gone')}: root: `);
  });
});
