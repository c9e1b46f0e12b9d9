import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isync, startIsync, type IsyncProcess } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

let running: IsyncProcess[] = [];
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  running = [];
});

/** A root that holds these files. */
function rootWith(...paths: readonly string[]): string {
  const root = temporaryFolder();
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), '');
  }
  return root;
}

const scanOf = (root: string, ...more: readonly string[]): string[] => {
  return ['scan', root, '--to', temporaryFolder(), '--device', 'edge1', ...more];
};

function daemon(root: string): IsyncProcess {
  const started = startIsync(scanOf(root));
  running.push(started);
  return started;
}

const times = (text: string, told: string): number => text.split(told).length - 1;

describe('a root without data directories', () => {
  it('is told, and --once has nothing to do', async () => {
    const root = rootWith();
    const { code, stderr } = await isync(scanOf(root, '--once'));
    expect(code).toBe(0);
    expect(times(stderr, `no data directories in ${root}`)).toBe(1);
  });

  it('is told with the tag, where that is what leaves nothing', async () => {
    const root = rootWith('DC1/a', 'stray');
    const { code, stderr } = await isync(scanOf(root, '--once', '--tag', 'night'));
    expect(code).toBe(0);
    expect(stderr).toContain(`no data directories in ${root} whose names begin with night`);
    expect(stderr).toContain('1 file lies in the root itself and is not sent');
  });

  it('is told once by a daemon, which goes on and takes what comes', async () => {
    const root = rootWith();
    const scan = daemon(root);
    await vi.waitFor(() => expect(scan.stderr()).toContain('no data directories in'), { timeout: 60_000 });
    mkdirSync(join(root, 'DC1'));
    await vi.waitFor(() => expect(scan.stderr()).toContain('directory active'), { timeout: 60_000 });
    expect(times(scan.stderr(), 'no data directories in')).toBe(1);
  });
});

describe('files in the root itself', () => {
  it('are told and counted, and the rest is done', async () => {
    const root = rootWith('a', 'b', 'c', '.hidden', 'DC1/d', 'DC1/finished.parse');
    const { code, stdout, stderr } = await isync(scanOf(root, '--once'));
    expect(code).toBe(0);
    expect(times(stderr, '3 files lie in the root itself and are not sent; put them into a directory')).toBe(
      1,
    );
    expect(stdout).toContain('1 of 1 directory sealed; 3 files in the root itself not sent\n');
    const json = await isync(scanOf(rootWith('a', 'DC1/d'), '--once', '--json'));
    expect(JSON.parse(json.stdout)).toMatchObject({ looseFiles: 1, exitCode: 0 });
  });
});

describe('a root that looks like a data directory itself', () => {
  it.each([
    ['holds files and no folder', ['a', 'b']],
    ['has the marker of a parser', ['a', 'finished.parse']],
    ['has our own marker beside folders', ['sub/a', 'finished.watch']],
  ])('because it %s is refused with --once, and its parent is named', async (_, paths) => {
    const root = rootWith(...paths);
    const { code, stdout, stderr } = await isync(scanOf(root, '--once'));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('looks like a data directory itself');
    expect(stderr).toContain(`Give its parent: isync scan ${dirname(root)}`);
  });

  it('because of a marker is refused by a daemon', async () => {
    const { code, stderr } = await daemon(rootWith('a', 'finished.parse')).ended;
    expect(code).toBe(2);
    expect(stderr).toContain('looks like a data directory itself');
  });

  it('because of files alone is told by a daemon, which goes on', async () => {
    const root = rootWith('a');
    const scan = daemon(root);
    const told = `no data directories in ${root}; it holds 1 file`;
    await vi.waitFor(() => expect(scan.stderr()).toContain(told), { timeout: 60_000 });
    expect(scan.stderr()).toContain('looks like a data directory itself');
    mkdirSync(join(root, 'DC1'));
    await vi.waitFor(() => expect(scan.stderr()).toContain('directory active'), { timeout: 60_000 });
  });
});
