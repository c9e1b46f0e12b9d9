import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, GetObjectRetentionCommand, GetObjectTaggingCommand } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { runCli, startCli } from '../../harness/cli.ts';
import { startS3Front, type S3Front } from '../../harness/s3-front.ts';
import { type S3Server, withS3Server } from '../../harness/s3-server.ts';

interface Told {
  readonly backups: readonly { readonly name: string; readonly type: string; readonly version: number }[];
}

/** Bytes of a part. */
const PART = 8 * 1024 * 1024;

class Stage implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'isync-run-s3-'));
  readonly #front: S3Front;
  readonly #server: S3Server;

  private constructor(server: S3Server, front: S3Front, bucket: string, more: object, job: object) {
    this.#server = server;
    this.#front = front;
    mkdirSync(this.at('source'));
    const to = {
      url: `s3://${bucket}/kept`,
      endpoints: [front.endpoint],
      credentials: {
        accessKeyId: { env: 'AWS_ACCESS_KEY_ID' },
        secretAccessKey: { env: 'AWS_SECRET_ACCESS_KEY' },
      },
      ...more,
    };
    const jobs = [
      { name: 'app', sources: [this.at('source')], to: [to], full: '7d', compress: 'none', ...job },
    ];
    writeFileSync(this.at('backup.yaml'), JSON.stringify({ jobs }));
  }

  static async open(server: S3Server, bucket: string, more: object = {}, job: object = {}): Promise<Stage> {
    return new Stage(server, await startS3Front(server.endpoint), bucket, more, job);
  }

  get front(): S3Front {
    return this.#front;
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  args(command: string, ...args: readonly string[]): string[] {
    return ['backup', command, ...args, '--config', this.at('backup.yaml'), '--json'];
  }

  get env(): Readonly<Record<string, string>> {
    return this.#server.env;
  }

  async run(...args: readonly string[]): Promise<Told> {
    const { exitCode, stdout, stderr } = await runCli(this.args('run', ...args), { env: this.env });
    if (exitCode !== 0) throw new Error(`${exitCode}: ${stderr}`);
    return JSON.parse(stdout) as Told;
  }

  async check(): Promise<void> {
    const { exitCode, stderr } = await runCli(this.args('restore', 'latest', '--to', this.at('back')), {
      env: this.env,
    });
    if (exitCode !== 0) throw new Error(`${exitCode}: ${stderr}`);
    const args = [
      '-anicH',
      '--delete',
      `${this.at('source')}/`,
      `${join(this.at('back'), this.at('source'))}/`,
    ];
    const found = execFileSync('rsync', args, { encoding: 'utf8' });
    if (found !== '') throw new Error(found);
    rmSync(this.at('back'), { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#front[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

await withS3Server((server) => {
  it('a run makes its parts and 12 requests, beside the pages of its listings', async () => {
    await using stage = await Stage.open(server, await server.makeBucket(), {}, { tags: { env: 'test' } });
    writeFileSync(stage.at('source/large'), randomBytes(3 * PART));
    for (const wanted of ['full', 'incremental', 'incremental', 'full']) {
      const before = stage.front.asked.length;
      const { backups } = await stage.run(...(wanted === 'full' ? ['--type', 'full'] : []));
      expect(backups).toMatchObject([{ type: wanted }]);
      const asked = stage.front.asked.slice(before);
      const parts = asked.filter(({ url }) => url.includes('partNumber=')).length;
      const pages = asked.filter(({ url }) => url.includes('list-type=2')).length;
      expect(parts).toBe(wanted === 'full' ? 4 : 1);
      expect(asked.length - parts - pages).toBeLessThanOrEqual(12);
    }
    await stage.check();
    const name = (await stage.run()).backups[0]!.name;
    expect(name).toContain('_005.tar');
  });

  it('locks its archive until the chain ends, and asks no older one for it', async () => {
    const Bucket = `isync-test-${randomBytes(6).toString('hex')}`;
    await server.client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
    const lock = { mode: 'governance', days: 1 };
    await using stage = await Stage.open(server, Bucket, { lock }, { tags: { env: 'test' } });
    writeFileSync(stage.at('source/file'), 'one');
    const first = (await stage.run()).backups[0]!.name;
    const Key = `kept/app/${first}`;
    const lockedUntil = async (): Promise<number> => {
      const { Retention } = await server.client.send(new GetObjectRetentionCommand({ Bucket, Key }));
      return Retention!.RetainUntilDate!.getTime();
    };
    const until = await lockedUntil();
    expect(until).toBeGreaterThan(Date.now() + 86_000_000);
    const { TagSet } = await server.client.send(new GetObjectTaggingCommand({ Bucket, Key }));
    expect(TagSet).toEqual([{ Key: 'env', Value: 'test' }]);
    for (const content of ['two', 'three', 'four']) {
      writeFileSync(stage.at('source/other'), content);
      const before = stage.front.asked.length;
      expect((await stage.run()).backups).toMatchObject([{ type: 'incremental' }]);
      const asked = stage.front.asked.slice(before);
      const counted = asked.filter(({ url }) => !/partNumber=|list-type=2/.test(url));
      expect(counted.length).toBeLessThanOrEqual(12);
      expect(counted.filter(({ url }) => url.includes(first))).toEqual([]);
    }
    expect(await lockedUntil()).toBe(until);
    await stage.check();
  });

  it('goes on after kill -9 in the middle, and sends again at most what was in flight', async () => {
    await using stage = await Stage.open(server, await server.makeBucket());
    writeFileSync(stage.at('source/large'), randomBytes(12 * PART));
    const isPart = (url: string | undefined): boolean => url?.includes('partNumber=') === true;
    let parts = 0;
    // The seventh never comes to its end.
    stage.front.before = (request) => {
      if (!isPart(request.url) || ++parts < 7) return undefined;
      return new Promise(() => undefined);
    };
    await using killed = startCli(stage.args('run'), { env: stage.env });
    await killed.until('six parts', () => stage.front.answered.filter(({ url }) => isPart(url)).length >= 6);
    await killed.stop('SIGKILL');
    stage.front.before = undefined;
    const before = stage.front.answered.length;
    expect((await stage.run()).backups).toMatchObject([{ version: 1 }]);
    const again = stage.front.answered.slice(before).filter(({ url }) => isPart(url)).length;
    // 13 parts in all, four at a time.
    expect(again).toBeLessThanOrEqual(13 - 6);
    await stage.check();
  });
});
