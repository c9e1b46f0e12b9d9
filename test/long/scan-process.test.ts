import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ScanSummary } from '../../src/sender/scan/scan-options.ts';
import { isync, startIsync, type IsyncProcess } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

interface JsonSummary extends ScanSummary {
  readonly exitCode: number;
  readonly error?: { readonly code: string; readonly message: string };
}

let running: IsyncProcess[] = [];
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  running = [];
});

function start(...args: string[]): IsyncProcess {
  const started = startIsync(args);
  running.push(started);
  return started;
}

async function receiver(...args: string[]): Promise<{ url: string; store: string }> {
  const store = temporaryFolder();
  const started = start('receive', store, '--listen', '127.0.0.1:0', '--json', ...args);
  await vi.waitFor(() => expect(started.stdout()).toContain('\n'), { timeout: 60_000 });
  return { url: (JSON.parse(started.stdout()) as { url: string }).url, store };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** A root with one closed directory of two files. */
function rootWithFiles(): string {
  const root = temporaryFolder();
  write(join(root, 'DC1/a.bin'), 'aaaa');
  write(join(root, 'DC1/sub/b.bin'), 'bbbbbb');
  write(join(root, 'DC1/finished.parse'), '');
  return root;
}

function once(root: string, to: string, ...more: string[]): string[] {
  return ['scan', root, '--to', to, '--once', '--device', 'edge1', '--quiet', '0', ...more];
}

describe('isync scan --once', () => {
  it('sends to a receiver and sums up as JSON', async () => {
    const { url, store } = await receiver();
    const root = rootWithFiles();
    const { code, stdout } = await isync(once(root, url, '--json'));
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      bytes: 10,
      problemCount: 0,
      problems: [],
      directories: [{ name: 'DC1', state: 'closed', sealed: true }],
      exitCode: 0,
    } satisfies Partial<JsonSummary>);
    expect(readFileSync(join(store, 'edge1/DC1/sub/b.bin'), 'utf8')).toBe('bbbbbb');
    expect(existsSync(join(store, 'edge1/DC1/finished.parse'))).toBe(true);
    expect(existsSync(join(root, 'DC1/finished.watch'))).toBe(true);
    expect(statSync(join(root, 'DC1/a.bin')).mode & 0o020).toBe(0o020);
  });

  it('sums up what went over the link, which --compress makes less of', async () => {
    const { url, store } = await receiver();
    const text = '{"sensor":"flow","unit":"l/s","value":17}\n'.repeat(20_000);
    const wireBytes: number[] = [];
    for (const [name, ...more] of [['plain'], ['packed', '--compress']] as const) {
      const root = temporaryFolder();
      write(join(root, `${name}/large.log`), text);
      write(join(root, `${name}/small.log`), text.slice(0, 10_000));
      write(join(root, `${name}/finished.parse`), '');
      const { code, stdout } = await isync(once(root, url, '--json', ...more));
      expect(code).toBe(0);
      const summary = JSON.parse(stdout) as JsonSummary & { readonly wireBytes: number };
      expect(summary.bytes).toBe(text.length + 10_000);
      wireBytes.push(summary.wireBytes);
      expect(readFileSync(join(store, `edge1/${name}/large.log`), 'utf8')).toBe(text);
    }
    expect(wireBytes[0]).toBeGreaterThan(text.length + 10_000);
    expect(wireBytes[0]).toBeLessThan(text.length + 12_000);
    expect(wireBytes[1]).toBeLessThan(text.length / 10);
    expect(wireBytes[1]).toBeGreaterThan(0);
  });

  it('sends to a folder, given relatively, and sums up in words', async () => {
    const root = rootWithFiles();
    const parent = temporaryFolder();
    mkdirSync(join(parent, 'kept'));
    const { code, stdout } = await isync(once(root, 'kept'), { cwd: parent });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d files, 10 B sent; 1 of 1 directory sealed\n$/);
    expect(readFileSync(join(parent, 'kept/edge1/DC1/a.bin'), 'utf8')).toBe('aaaa');
  });

  it('leaves a folder to the scan that sends to it already, until that one is killed', async () => {
    const root = rootWithFiles();
    const store = temporaryFolder();
    const first = start('scan', root, '--to', store, '--device', 'edge1');
    await vi.waitFor(() => expect(existsSync(join(root, 'DC1/finished.watch'))).toBe(true), {
      timeout: 60_000,
    });
    const { code, stderr } = await isync(once(root, store));
    expect(code).toBe(3);
    expect(stderr).toContain('FENCED');
    expect(stderr).toContain(`process ${first.child.pid}`);
    expect((await isync(['verify', root, '--to', store, '--device', 'edge1'])).code).toBe(0);
    expect((await isync(['scan', rootWithFiles(), '--to', store, '--once', '--device', 'edge2'])).code).toBe(
      0,
    );
    first.child.kill('SIGKILL');
    await first.ended;
    expect((await isync(once(root, store))).code).toBe(0);
    expect(readdirSync(join(store, '.isync/locks'))).toEqual([]);
  });

  it('ends with 1 and lists the problems when something is wrong with a file', async () => {
    const root = rootWithFiles();
    symlinkSync('a.bin', join(root, 'DC1/link'));
    const { code, stdout } = await isync(once(root, temporaryFolder()));
    expect(code).toBe(1);
    expect(stdout).toContain('0 of 1 directory sealed; 1 problem\n  DC1/link: ');
    expect(stdout).toContain('[NOT_REGULAR]');
  });

  it('takes its settings from environment and file', async () => {
    const root = rootWithFiles();
    const store = temporaryFolder();
    const file = join(temporaryFolder(), 'isync.yaml');
    writeFileSync(file, `scan:\n  root: ${root}\n  once: true\n  json: true\n  device: 007\n`);
    const { code } = await isync(['scan', '--config', file], { env: { ISYNC_TO: store, ISYNC_QUIET: '0' } });
    expect(code).toBe(0);
    expect(existsSync(join(store, '007/DC1/a.bin'))).toBe(true);
  });
});

describe('a fault of this machine ends with 5:', () => {
  it('a root that is not there', async () => {
    const { code, stderr } = await isync(once('/nowhere/at/all', temporaryFolder()));
    expect(code).toBe(5);
    expect(stderr).toContain('[ROOT_MISSING] /nowhere/at/all');
  });

  it('a target folder that is not there', async () => {
    const { code, stderr } = await isync(once(rootWithFiles(), '/nowhere/at/all'));
    expect(code).toBe(5);
    expect(stderr).toContain('[STORE_MISSING] /nowhere/at/all');
  });
});

describe('a mistake ends with 2:', () => {
  it('a target inside the root, or around it', async () => {
    const root = rootWithFiles();
    mkdirSync(join(root, 'kept'));
    for (const to of [join(root, 'kept'), root, dirname(root)]) {
      const { code, stderr } = await isync(once(root, to));
      expect(code).toBe(2);
      expect(stderr).toContain('[CONFIG_INVALID]');
    }
  });

  it('a bad config file', async () => {
    const file = join(temporaryFolder(), 'isync.yaml');
    writeFileSync(file, 'scan:\n  setle: 3\n');
    const { code, stderr } = await isync(once(rootWithFiles(), temporaryFolder(), '--config', file));
    expect(code).toBe(2);
    expect(stderr).toContain(`setle: is no setting of "scan"; did you mean "settle"? (${file}, line 2)`);
  });

  it('a bucket whose region nothing tells', async () => {
    const { code, stderr } = await isync(once('/datas', 's3://bucket'), {
      env: { HOME: '/nowhere', AWS_CONFIG_FILE: '/dev/null', AWS_EC2_METADATA_DISABLED: 'true' },
    });
    expect(code).toBe(2);
    expect(stderr).toContain('[CONFIG_INVALID]');
    expect(stderr).toContain('--s3-region');
  });
});

describe('the link', () => {
  it('that may leave this machine is told to carry the token in clear text', async () => {
    // Reaches this machine all the same, so that the test needs no network.
    const args = once(rootWithFiles(), 'ws://0.0.0.0:1', '--retry-for', '0');
    const child = startIsync(args, { env: { ISYNC_TOKEN: 'isync_abc' } });
    running.push(child);
    await vi.waitFor(() => expect(child.stderr()).toContain('clear text'), { timeout: 60_000 });
    expect(child.stderr()).not.toContain('isync_abc');
  });
});

describe('isync verify', () => {
  it('ends with 0 when both sides are the same', async () => {
    const { url } = await receiver();
    const root = rootWithFiles();
    await isync(once(root, url));
    const { code, stdout } = await isync(['verify', root, '--to', url, '--device', 'edge1']);
    expect(stdout).toMatch(
      /^\d files, 10 B compared, 0 different, 0 missing, 0 extra, 0 damaged, 0 problems\n$/,
    );
    expect(code).toBe(0);
  });

  it('tells each difference, and ends with 1', async () => {
    const root = rootWithFiles();
    const store = temporaryFolder();
    await isync(once(root, store));
    write(join(root, 'DC1/a.bin'), 'AAAA');
    write(join(root, 'DC1/new\nline'), 'x');
    write(join(store, 'edge1/DC1/c.bin'), 'x');
    const args = ['verify', root, '--to', store, '--device', 'edge1'];
    const { code, stdout } = await isync(args);
    expect(code).toBe(1);
    expect(stdout.split('\n').slice(0, -2).sort()).toEqual([
      'different DC1/a.bin',
      'extra DC1/c.bin',
      'missing DC1/new\\x0aline',
    ]);
    const json = await isync([...args, '--json']);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      different: 1,
      missing: 1,
      extra: 1,
      problems: 0,
      differences: expect.arrayContaining([
        expect.objectContaining({ path: 'DC1/a.bin', code: 'DIFFERENT' }),
        expect.objectContaining({ path: 'DC1/c.bin', code: 'EXTRA' }),
        expect.objectContaining({ path: 'DC1/new\nline', code: 'MISSING' }),
      ]) as unknown,
      exitCode: 1,
    });
  });

  it('does not mind that nobody reads its output', async () => {
    const root = rootWithFiles();
    const verify = start('verify', root, '--to', temporaryFolder(), '--device', 'edge1');
    verify.child.stdout.destroy();
    const { code, stderr } = await verify.ended;
    expect(stderr).not.toContain('EPIPE');
    expect(code).toBe(1);
  });
});
