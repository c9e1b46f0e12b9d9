import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../harness/cli.ts';
import { lacks } from '../../harness/tools.ts';

const DOCS = readFileSync(new URL('../../docs/backup.md', import.meta.url), 'utf8');
const SECTION = DOCS.slice(DOCS.indexOf('### Without isync'), DOCS.indexOf('## Databases'));
const [FULL = '', INCREMENTAL = '', GONE = '', SINGLE = ''] = [
  ...SECTION.matchAll(/^```sh\n(.*?)^```/gms),
].map(([, text = '']) => text);
const [PLAIN = '', SEALED = '', GZIP = ''] = FULL.trimEnd().split('\n');

const CONTENT = { 'a.txt': 'as it was', 'gone.txt': 'gone soon', 'deep/b.bin': 'b'.repeat(100_000) };

/** A store in a folder, with backups of `source` in it, and a folder to unpack them into. */
class Stage implements AsyncDisposable {
  readonly folder: string;
  readonly source: string;
  readonly back: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.source = join(folder, 'source');
    this.back = join(folder, 'store/app/back');
  }

  static async open(job: (folder: string) => object): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'isync-by-hand-'));
    const stage = new Stage(folder);
    mkdirSync(stage.back, { recursive: true });
    mkdirSync(join(stage.source, 'deep'), { recursive: true });
    for (const [name, text] of Object.entries(CONTENT)) writeFileSync(join(stage.source, name), text);
    const to = [join(folder, 'store')];
    const jobs = [{ name: 'app', sources: [stage.source], to, full: '7d', ...job(folder) }];
    writeFileSync(join(folder, 'backup.yaml'), JSON.stringify({ jobs }));
    return stage;
  }

  /** Makes a backup. @returns its name */
  async run(): Promise<string> {
    const args = ['backup', 'run', '--config', join(this.folder, 'backup.yaml'), '--json'];
    const { exitCode, stdout, stderr } = await runCli(args);
    if (exitCode !== 0) throw new Error(stderr);
    return (JSON.parse(stdout) as { backups: [{ name: string }] }).backups[0].name;
  }

  /**
   * Runs lines of the document where the objects of the job are. As in a user's shell the last command of a
   * pipe decides: what comes before a `head` may end by SIGPIPE.
   */
  shell(lines: string, env: Record<string, string> = {}): string {
    return execFileSync('bash', ['-euc', lines], {
      cwd: join(this.folder, 'store/app'),
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
  }

  /** What has been unpacked. */
  unpacked(): Record<string, string> {
    const root = join(this.back, this.source.slice(1));
    const names = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    return Object.fromEntries(
      names.map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return [path.slice(root.length + 1), readFileSync(path, 'utf8')];
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

const lacking = (['zstd', 'age', 'jq'] as const).filter(lacks);

describe.skipIf(lacking.length > 0).concurrent('docs/backup.md, without isync', () => {
  it('unpacks a full backup', async () => {
    await using stage = await Stage.open(() => ({}));
    stage.shell(PLAIN.replace('FULL.tar.zst', await stage.run()));
    expect(stage.unpacked()).toEqual(CONTENT);
  });

  it('unpacks an encrypted one', async () => {
    const identity = await generateIdentity();
    const recipients = [await identityToRecipient(identity)];
    await using stage = await Stage.open(() => ({ encrypt: { recipients } }));
    const name = await stage.run();
    writeFileSync(join(stage.folder, 'store/app/backup.key'), identity, { mode: 0o600 });
    stage.shell(SEALED.replace('FULL.tar.zst.age', name));
    expect(stage.unpacked()).toEqual(CONTENT);
  });

  it('unpacks one of gzip', async () => {
    await using stage = await Stage.open(() => ({ compress: 'gzip' }));
    stage.shell(GZIP.replace('FULL.tar.gz', await stage.run()));
    expect(stage.unpacked()).toEqual(CONTENT);
  });

  it('unpacks an incremental one, and finds what was gone by then', async () => {
    await using stage = await Stage.open(() => ({}));
    await stage.run();
    writeFileSync(join(stage.source, 'a.txt'), 'as it is');
    rmSync(join(stage.source, 'gone.txt'));
    const name = await stage.run();
    expect(name).toContain('_incremental_');
    stage.shell(INCREMENTAL.replaceAll('INCREMENTAL.tar.zst', name));
    const gone = stage.shell(GONE.replaceAll('BACKUP.tar.zst', name)).trim().split('\n');
    expect(stage.unpacked()).toEqual({ ...CONTENT, 'a.txt': 'as it is' });
    const source = stage.source.slice(1);
    expect(gone.filter((path) => path.startsWith(source))).toEqual([`${source}/gone.txt`]);
  });

  it('takes a single file out of an archive', async () => {
    await using stage = await Stage.open(() => ({}));
    const name = await stage.run();
    const path = `${stage.source.slice(1)}/deep/b.bin`;
    const [list = '', take = ''] = SINGLE.replaceAll('INCREMENTAL.tar.zst', name)
      .replace('srv/app/a.txt', path)
      .replace('ARCHIVE', name)
      .split('\n');
    const [version, FROM = '', TO = '', SKIP = '', SIZE = ''] = stage.shell(list).trim().split('\t');
    expect(version).toBe('1');
    stage.shell(take, { FROM, TO, SKIP, SIZE });
    expect(readFileSync(join(stage.folder, 'store/app/a.txt'), 'utf8')).toBe(CONTENT['deep/b.bin']);
  });
});
