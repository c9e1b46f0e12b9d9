import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli, startCli } from '../../harness/cli.ts';
import { type Ended, until } from '../../harness/process.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';

interface Told {
  readonly exitCode: number;
  readonly outcome: string;
  readonly backups: readonly {
    name: string;
    type: string;
    version: number;
    storedFiles: number;
    targets: string[];
  }[];
  readonly failures: readonly { target: string; code: string }[];
  readonly error?: { readonly code: string };
}

/** A machine with a folder, a store and a config of one job. */
class Stage implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'isync-run-'));

  constructor(more: (stage: Stage) => object = () => ({})) {
    for (const name of ['source', 'store']) mkdirSync(this.at(name));
    writeFileSync(this.at('source', 'file'), 'content');
    mkdirSync(this.at('source', 'empty'));
    this.configure(more(this));
  }

  at(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  configure(more: object): void {
    const job = { name: 'app', sources: [this.at('source')], to: [this.at('store')], full: '7d', ...more };
    writeFileSync(this.at('backup.yaml'), JSON.stringify({ jobs: [job] }));
  }

  args(command: string, ...args: readonly string[]): string[] {
    return ['backup', command, ...args, '--config', this.at('backup.yaml'), '--json'];
  }

  async run(...args: readonly string[]): Promise<Told & Ended> {
    const ended = await runCli(this.args('run', ...args));
    return { ...ended, ...toldBy(ended) };
  }

  archives(store = 'store'): string[] {
    return readdirSync(this.at(store, 'app')).filter((name) => /\.tar(?:\.zst)?$/.test(name));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function toldBy({ stdout, stderr }: Ended): Told {
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Told;
  } catch {
    throw new Error(`no summary: ${stdout}${stderr}`);
  }
}

function ctimeOf(path: string): string {
  return String(statSync(path, { bigint: true }).ctimeNs);
}

function differences(one: string, other: string): string {
  return execFileSync('rsync', ['-anicH', '--delete', `${one}/`, `${other}/`], { encoding: 'utf8' });
}

describe.concurrent('isync backup run', () => {
  it('makes a full backup that zstd and tar read, then what has changed, which restores', async () => {
    using stage = new Stage();
    writeFileSync(stage.at('source', 'large'), randomBytes(9_000_000));
    expect(await stage.run()).toMatchObject({
      exitCode: 0,
      outcome: 'done',
      backups: [{ type: 'full', version: 1 }],
    });
    const [archive = ''] = stage.archives();
    expect(archive).toMatch(/^app_full_\d{8}T\d{6}Z_001\.tar\.zst$/);
    mkdirSync(stage.at('read'));
    execFileSync('tar', ['--zstd', '-xpf', stage.at('store', 'app', archive), '-C', stage.at('read')]);
    expect(differences(stage.at('source'), join(stage.at('read'), stage.at('source')))).toBe('');
    writeFileSync(stage.at('source', 'new'), 'new');
    expect(await stage.run('app')).toMatchObject({
      exitCode: 0,
      backups: [{ type: 'incremental', version: 2, storedFiles: 1 }],
    });
    const restored = await runCli(stage.args('restore', 'latest', '--to', stage.at('back')));
    expect(restored).toMatchObject({ exitCode: 0 });
    expect(differences(stage.at('source'), join(stage.at('back'), stage.at('source')))).toBe('');
    const status = await runCli(stage.args('status'));
    expect(JSON.parse(status.stdout)).toMatchObject({
      exitCode: 0,
      jobs: [
        { job: 'app', problems: [], resumable: [], targets: [{ newest: expect.stringContaining('_002.') }] },
      ],
    });
  });

  it('goes on after kill -9, and status says so before', async () => {
    using stage = new Stage(() => ({ compress: 'none', bwlimit: '1MB/s' }));
    writeFileSync(stage.at('source', 'large'), randomBytes(30_000_000));
    const state = stage.at('backup.yaml.state', 'app');
    const part = join(state, 'spool', '1', '00003');
    await using killed = startCli(stage.args('run'));
    await killed.until('the third part', () => existsSync(part));
    await killed.stop('SIGKILL');
    const status = await runCli(stage.args('status'));
    expect(JSON.parse(status.stdout)).toMatchObject({
      exitCode: 1,
      jobs: [{ resumable: [{ name: expect.stringContaining('_001.tar') }] }],
    });
    stage.configure({ compress: 'none' });
    expect(await stage.run()).toMatchObject({ exitCode: 0, backups: [{ version: 1, type: 'full' }] });
    expect(stage.archives()).toHaveLength(1);
    expect((await runCli(stage.args('restore', 'latest', '--to', stage.at('back')))).exitCode).toBe(0);
    expect(differences(stage.at('source'), join(stage.at('back'), stage.at('source')))).toBe('');
  });

  it('is BUSY beside another run, with exit code 1, or waits; stopped by SIGTERM it ends with 130', async () => {
    using stage = new Stage((at) => ({
      before: ['sh', '-c', `touch ${at.at('begun')}; while ! [ -e ${at.at('go')} ]; do sleep 0.05; done`],
    }));
    await using first = startCli(stage.args('run'));
    await first.until('its beginning', () => existsSync(stage.at('begun')));
    expect(await stage.run()).toMatchObject({ exitCode: 1, error: { code: 'BUSY' } });
    await using waiting = startCli(stage.args('run', '--wait'));
    expect(await first.stop('SIGTERM')).toMatchObject({ exitCode: 130 });
    writeFileSync(stage.at('go'), '');
    expect(toldBy(await waiting.ended)).toMatchObject({ exitCode: 0, backups: [{ type: 'full' }] });
  });

  it('ends with what failed: a source, "before", one target of two', async () => {
    using stage = new Stage((at) => ({ before: ['false'], after: ['touch', at.at('after')] }));
    expect(await stage.run()).toMatchObject({ exitCode: 5, error: { code: 'SOURCE_FAILED' } });
    expect(existsSync(stage.at('after'))).toBe(true);
    stage.configure({ sources: [stage.at('nothing')] });
    expect(await stage.run()).toMatchObject({ exitCode: 5, error: { code: 'SOURCE_FAILED' } });
    stage.configure({ to: [stage.at('usb'), stage.at('store')] });
    expect(await stage.run()).toMatchObject({
      exitCode: 1,
      outcome: 'failed',
      backups: [{ targets: [stage.at('store')] }],
      failures: [{ target: stage.at('usb'), code: 'STORE_MISSING' }],
    });
    mkdirSync(stage.at('usb'));
    expect(await stage.run()).toMatchObject({
      exitCode: 0,
      backups: [{ type: 'incremental' }, { type: 'full', targets: [stage.at('usb')] }],
    });
  });

  it('leaves the backups of another machine alone until it adopts them', async () => {
    using stage = new Stage();
    expect(await stage.run()).toMatchObject({ exitCode: 0 });
    const other = ['--state-dir', stage.at('other')];
    expect(await stage.run(...other)).toMatchObject({ exitCode: 3, error: { code: 'FENCED' } });
    expect(await stage.run(...other, '--adopt')).toMatchObject({
      exitCode: 0,
      backups: [{ version: 2, type: 'full' }],
    });
    expect(await stage.run()).toMatchObject({ exitCode: 3, error: { code: 'FENCED' } });
  });

  it('says by status that an archive beyond the spool is packed from its beginning after a kill', async () => {
    using stage = new Stage(() => ({ compress: 'none', spool: { max: '64MiB' }, bwlimit: '1MB/s' }));
    for (let at = 0; at < 10; at++) writeFileSync(stage.at('source', `large${at}`), randomBytes(8_000_000));
    const state = stage.at('backup.yaml.state', 'app');
    await using killed = startCli(stage.args('run'));
    await killed.until('the first part', () => existsSync(join(state, 'spool', '1', '00001')));
    await killed.until('the spool to be full', async () => {
      using seen = await openJobState(state);
      return seen.packs.find()[0]?.isOverflowed;
    });
    await killed.stop('SIGKILL');
    const status = await runCli(stage.args('status'));
    expect(JSON.parse(status.stdout)).toMatchObject({ jobs: [{ resumable: [{ startsOver: true }] }] });
    const text = await runCli(stage.args('status').filter((arg) => arg !== '--json'));
    expect(text.stdout).toContain('packed from its beginning, for it has outgrown the spool');
    stage.configure({ compress: 'none', spool: { max: '64MiB' } });
    expect(await stage.run()).toMatchObject({ exitCode: 0, backups: [{ version: 1, type: 'full' }] });
    expect((await runCli(stage.args('verify', '--deep'))).exitCode).toBe(0);
  });

  it('makes a full backup once a verification has failed, though the listing finds nothing wrong', async () => {
    using stage = new Stage();
    expect((await stage.run()).backups).toMatchObject([{ type: 'full' }]);
    const path = stage.at('store', 'app', stage.archives()[0]!);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 4;
    writeFileSync(path, bytes);
    expect((await stage.run()).backups).toMatchObject([{ type: 'incremental' }]);
    expect((await runCli(stage.args('verify', '--deep'))).exitCode).toBe(1);
    const { exitCode, backups } = await stage.run();
    expect({ exitCode, backups }).toMatchObject({ exitCode: 0, backups: [{ type: 'full', version: 3 }] });
    expect((await stage.run()).backups).toMatchObject([{ type: 'incremental' }]);
  });

  it('finds with --rehash what has changed under the old times, and without it does not look', async () => {
    using stage = new Stage();
    const path = stage.at('source', 'file');
    utimesSync(path, 1000, 1000);
    const lists = stage.at('backup.yaml.state', 'app', 'lists');
    // What was changed just before a run has no times that the next one may trust.
    const seen = async (): Promise<string | undefined> => {
      await stage.run();
      const list = `${Math.max(...readdirSync(lists).map((name) => parseInt(name, 10)))}.files`;
      // Behind its device and inode; the folder above may have the same time.
      const isKept = readFileSync(join(lists, list), 'utf8').includes(`"${ctimeOf(path)}"]`);
      return isKept ? join(lists, list) : undefined;
    };
    const list = await until('the times to be kept', seen);
    const before = ctimeOf(path);
    // As a disk that rots would.
    writeFileSync(path, 'CONTENT');
    utimesSync(path, 1000, 1000);
    writeFileSync(list, readFileSync(list, 'utf8').replaceAll(before, ctimeOf(path)));
    expect((await stage.run()).backups).toMatchObject([{ type: 'incremental', storedFiles: 0 }]);
    expect((await stage.run('--rehash')).backups).toMatchObject([{ type: 'incremental', storedFiles: 1 }]);
  });

  it('says with --dry-run what it would do', async () => {
    using stage = new Stage();
    const { exitCode, stdout } = await runCli(stage.args('run', '--dry-run'));
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      planned: [{ type: 'full', files: 1, storedFiles: 1, storedBytes: 7 }],
    });
    expect(readdirSync(stage.at('store'))).toEqual([]);
    const text = await runCli(stage.args('run', '--dry-run').filter((arg) => arg !== '--json'));
    expect(text.stdout).toMatch(/^would make: full \(there is no backup yet\), 1 file, 7 B/);
  });
});
