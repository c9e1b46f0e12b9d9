import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { runCli, startCli } from '../../harness/cli.ts';
import type { CliProcess } from '../../harness/process.ts';

const EACH_SECOND = '* * * * * *';

/** A machine with folders, a store and a config. */
class Stage implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(jobs: (stage: Stage) => readonly object[]): Promise<Stage> {
    const stage = new Stage(await mkdtemp(join(tmpdir(), 'isync-daemon-')));
    for (const name of ['source', 'store']) await mkdir(stage.at(name));
    await writeFile(stage.at('source', 'file'), 'content');
    await stage.configure(jobs(stage));
    return stage;
  }

  at(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  async configure(jobs: readonly object[]): Promise<void> {
    await writeFile(this.at('backup.yaml'), JSON.stringify({ jobs }));
  }

  args(...args: readonly string[]): string[] {
    return ['backup', ...args, '--config', this.at('backup.yaml'), '--json'];
  }

  start(...args: readonly string[]): CliProcess {
    return startCli(this.args('daemon', ...args));
  }

  /** Names of the complete backups of a job. */
  backups(job: string): string[] {
    const folder = this.at('store', job);
    if (!existsSync(folder)) return [];
    return readdirSync(folder).filter((name) => name.endsWith('.manifest'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

const job = (stage: Stage, name: string, more: object = {}): object => ({
  name,
  sources: [stage.at('source')],
  to: [stage.at('store')],
  schedule: EACH_SECOND,
  ...more,
});

async function statusOf(daemon: CliProcess): Promise<string> {
  const line = await daemon.until(
    'the daemon to start',
    () => /^\{"event":"started".*$/m.exec(daemon.stdout)?.[0],
  );
  return (JSON.parse(line) as { status: string }).status;
}

describe.concurrent('isync backup daemon', () => {
  it('runs and verifies jobs again and again, tells how they are, and ends when it is told to', async () => {
    const told = 'notices';
    await using stage = await Stage.open((on) => [
      job(on, 'app', {
        keep: { last: 3 },
        verify: { schedule: EACH_SECOND, sample: '1MiB' },
        notify: [{ type: 'command', command: ['tee', '-a', on.at(told)], on: ['success', 'verified'] }],
      }),
      job(on, 'other'),
    ]);
    await using daemon = stage.start('--status', '127.0.0.1:0');
    const status = await statusOf(daemon);
    await daemon.until(
      'two backups of each',
      () => stage.backups('app').length > 1 && stage.backups('other').length > 1,
    );
    const metric = async (line: RegExp): Promise<boolean> =>
      line.test(await (await fetch(`${status}/metrics`)).text());
    await daemon.until('the stores to be looked at', () =>
      metric(/^isync_backup_store_up\{store=".*"\} 1$/m),
    );
    await daemon.until('a success', () =>
      metric(/^isync_backup_last_success_timestamp_seconds\{backup="app"\} \d/m),
    );
    await daemon.until('a verification', () =>
      metric(/^isync_backup_newest_verified_age_seconds\{backup="app",store=".*"\} \d/m),
    );
    expect(await (await fetch(`${status}/healthz`)).text()).toBe('ok\n');
    expect((await fetch(`${status}/readyz`)).status).toBe(200);
    await daemon.until('notices', async () => {
      const text = existsSync(stage.at(told)) ? await readFile(stage.at(told), 'utf8') : '';
      return text.includes('"occasion":"success"') && text.includes('"occasion":"verified"');
    });
    const { exitCode, stderr } = await daemon.stop('SIGTERM');
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    const made = stage.backups('app').length;
    expect(made).toBeLessThanOrEqual(4);
    const { stdout } = await runCli(stage.args('status'));
    expect(stdout).toContain('"trigger":"schedule"');
  });

  it('says which store is away, and keeps on living', async () => {
    await using stage = await Stage.open((on) => [job(on, 'app', { to: [on.at('store'), on.at('gone')] })]);
    await using daemon = stage.start('--status', '127.0.0.1:0');
    const status = await statusOf(daemon);
    await daemon.until('it to be noticed', async () => (await fetch(`${status}/readyz`)).status === 503);
    expect(await (await fetch(`${status}/readyz`)).text()).toContain(`${stage.at('gone')} can not be used`);
    const health = await fetch(`${status}/healthz`);
    expect(health.status).toBe(200);
    expect(await health.text()).toBe('ok, but 1 of 2 stores can not be used\n');
    await daemon.until('a backup in the other one', () => stage.backups('app').length > 0);
  });

  it('stops a run with itself, and the next one goes on with it', async () => {
    await using stage = await Stage.open((on) => [job(on, 'app', { before: ['sleep', '60'] })]);
    const running = (text: string): boolean => text.includes('"msg":"it is time"');
    {
      await using daemon = stage.start();
      await daemon.until(
        'a run',
        () => running(daemon.stderr) && existsSync(stage.at('backup.yaml.state/app/run.lock')),
      );
      const began = performance.now();
      expect(await daemon.stop('SIGTERM')).toMatchObject({ exitCode: 0 });
      expect(performance.now() - began).toBeLessThan(30_000);
    }
    await stage.configure([job(stage, 'app', { schedule: '0 0 1 1 *' })]);
    expect(stage.backups('app')).toEqual([]);
    // What was due when it ended is still so, whatever the schedule says by now.
    expect((await runCli(stage.args('run', 'app'))).exitCode).toBe(0);
    expect(stage.backups('app')).toHaveLength(1);
  });

  it('waits its turn while a person runs the job, and is no failure', async () => {
    await using stage = await Stage.open((on) => [
      job(on, 'app', { before: ['sleep', '3'], schedule: '0 0 1 1 *' }),
    ]);
    await using byHand = startCli(stage.args('run', 'app'));
    await byHand.until('it to run', () => existsSync(stage.at('backup.yaml.state/app/run.lock')));
    await stage.configure([job(stage, 'app')]);
    await using daemon = stage.start();
    expect((await byHand.ended).exitCode).toBe(0);
    await daemon.until('a second backup', () => stage.backups('app').length > 1);
    expect(daemon.stderr).not.toContain('"level":"error"');
  });

  it('that is killed leaves its run to its end, and the next one waits for that', async () => {
    await using stage = await Stage.open((on) => [
      job(on, 'app', {
        before: ['sh', '-c', `touch ${on.at('begun')}; sleep 2`],
        after: ['touch', on.at('ended')],
      }),
    ]);
    await using daemon = stage.start();
    await daemon.until('a run', () => existsSync(stage.at('begun')));
    daemon.signal('SIGKILL');
    await stage.configure([job(stage, 'app')]);
    await using next = stage.start();
    await next.until('two backups', () => stage.backups('app').length > 1);
    expect(existsSync(stage.at('ended'))).toBe(true);
    expect(next.stderr).not.toContain('"level":"error"');
  });

  it('keeps a second one out', async () => {
    await using stage = await Stage.open((on) => [job(on, 'app', { schedule: '0 0 1 1 *' })]);
    await using daemon = stage.start();
    await daemon.until('it to start', () => daemon.stdout.includes('"started"'));
    const second = await runCli(stage.args('daemon'));
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain('another daemon looks after the job app already [BUSY]');
  });
});

describe.concurrent('isync backup check', () => {
  it('ends with 0 where all is well, and the key opens the newest backup', async () => {
    const identity = await generateIdentity();
    const recipients = [await identityToRecipient(identity)];
    await using stage = await Stage.open((on) => [
      job(on, 'app', { encrypt: { recipients, identityFile: on.at('key') } }),
    ]);
    await writeFile(stage.at('key'), `${identity}\n`, { mode: 0o600 });
    expect((await runCli(stage.args('run', 'app'))).exitCode).toBe(0);
    const good = await runCli(['backup', 'check', '--config', stage.at('backup.yaml')]);
    expect(good).toMatchObject({ exitCode: 0 });
    expect(good.stdout).toContain(`${stage.at('store')}: ok\n`);
    expect(good.stdout).toMatch(/ {2}ok {6}the identity file opens app_full_\w+_001\.tar\.zst\.age\n/);

    await writeFile(stage.at('key'), `${await generateIdentity()}\n`);
    const bad = await runCli(stage.args('check', 'app'));
    expect(bad.exitCode).toBe(1);
    expect(JSON.parse(bad.stdout)).toMatchObject({
      jobs: [{ job: 'app', stores: [{ isOk: false, identity: { outcome: 'failed' } }] }],
      exitCode: 1,
    });
  });

  it('ends with 1 where one of some stores is away', async () => {
    await using stage = await Stage.open((on) => [job(on, 'app'), job(on, 'other', { to: [on.at('gone')] })]);
    const { exitCode, stdout } = await runCli(['backup', 'check', '--config', stage.at('backup.yaml')]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`other:\n${stage.at('gone')}: FAILED\n`);
    expect((await runCli(stage.args('check', 'app'))).exitCode).toBe(0);
  });
});
