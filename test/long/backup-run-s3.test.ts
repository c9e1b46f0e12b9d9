import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  GetObjectRetentionCommand,
  GetObjectTaggingCommand,
  ListObjectsV2Command,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { runCli, startCli } from '../../harness/cli.ts';
import { until } from '../../harness/process.ts';
import { clientFor, environmentOf } from '../../harness/s3-access.ts';
import { startS3Front, type S3Front } from '../../harness/s3-front.ts';
import { type S3Server, withS3Server } from '../../harness/s3-server.ts';

interface Told {
  readonly backups: readonly { readonly name: string; readonly type: string; readonly version: number }[];
}

/** Bytes of a part. */
const PART = 8 * 1024 * 1024;
/** Parts of the uploads that are cut off in the middle, beside the last one. */
const PARTS = Math.ceil(Number(process.env['ISYNC_TEST_BACKUP_BYTES'] ?? 12 * PART) / PART);
/** Of the test that sends them, in ms: a machine on which each takes four seconds. */
const PATIENCE_MS = Math.max(600_000, PARTS * 4000);
/** Parts that are under way at a time. */
const PARTS_AT_ONCE = 4;

type Access = Pick<S3Server, 'endpoint' | 'env'>;

class Stage implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'isync-run-s3-'));
  readonly #front: S3Front;
  readonly #env: Access['env'];
  readonly #to: object;

  private constructor(env: Access['env'], front: S3Front, bucket: string, more: object, job: object) {
    this.#env = env;
    this.#front = front;
    mkdirSync(this.at('source'));
    this.#to = {
      url: `s3://${bucket}/kept`,
      endpoints: [front.endpoint],
      credentials: {
        accessKeyId: { env: 'AWS_ACCESS_KEY_ID' },
        secretAccessKey: { env: 'AWS_SECRET_ACCESS_KEY' },
      },
      ...more,
    };
    this.configure(job);
  }

  static async open(server: Access, bucket: string, more: object = {}, job: object = {}): Promise<Stage> {
    return new Stage(server.env, await startS3Front(server.endpoint), bucket, more, job);
  }

  configure(job: object): void {
    const sources = [this.at('source')];
    const jobs = [{ name: 'app', sources, to: [this.#to], full: '7d', compress: 'none', ...job }];
    writeFileSync(this.at('backup.yaml'), JSON.stringify({ jobs }));
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
    return this.#env;
  }

  /** A source of so many bytes that nothing makes smaller, piece by piece. */
  fill(bytes: number): void {
    for (let done = 0; done < bytes; done += PART)
      appendFileSync(this.at('source/large'), randomBytes(Math.min(PART, bytes - done)));
  }

  /** Numbers of the parts that the server has taken, since the answer of that number. */
  parts(since = 0): readonly number[] {
    return this.#front.answered
      .slice(since)
      .filter(({ status }) => status === 200)
      .flatMap(({ url }) => /[?&]partNumber=(\d+)/.exec(url)?.[1] ?? [])
      .map(Number);
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

  it('asks 5 more for the first backup that its prune removes, and 4 for each further one', async () => {
    await using stage = await Stage.open(server, await server.makeBucket());
    writeFileSync(stage.at('source/file'), 'one');
    for (let made = 0; made < 3; made++) await stage.run('--type', 'full');
    stage.configure({ keep: { last: 1 } });
    const before = stage.front.asked.length;
    await stage.run('--type', 'full');
    const asked = stage.front.asked.slice(before);
    expect(asked.filter(({ method }) => method === 'DELETE')).toHaveLength(9);
    const counted = asked.filter(({ url }) => !/partNumber=|list-type=2/.test(url));
    expect(counted.length).toBeLessThanOrEqual(12 + 5 + 4 + 4);
    await stage.check();
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

  it(
    'goes on after kill -9 in the middle, and sends again at most what was in flight',
    async () => {
      await using stage = await Stage.open(server, await server.makeBucket());
      stage.fill(PARTS * PART);
      const half = Math.floor(PARTS / 2);
      let parts = 0;
      // Those of the second half never come to their end.
      stage.front.before = ({ url }) => {
        if (url?.includes('partNumber=') !== true || ++parts <= half) return undefined;
        return new Promise(() => undefined);
      };
      await using killed = startCli(stage.args('run'), { env: stage.env });
      await killed.until('half of the parts', () => stage.parts().length === half, PATIENCE_MS / 2);
      await killed.until('those in flight', () => parts >= half + PARTS_AT_ONCE);
      await killed.stop('SIGKILL');
      stage.front.before = undefined;
      const before = stage.front.answered.length;
      expect((await stage.run()).backups).toMatchObject([{ version: 1 }]);
      // Not one of those that had arrived.
      expect(stage.parts(before)).toHaveLength(PARTS + 1 - half);
      await stage.check();
    },
    PATIENCE_MS,
  );

  it('ends where its key is taken away in the middle, and goes on once it has it back', async (context) => {
    const guest = await server.guest();
    if (guest === undefined) return context.skip('the server has no users of ours');
    const { credentials } = guest;
    const { endpoint, region } = server;
    const Bucket = `isync-guest-${randomBytes(6).toString('hex')}`;
    const client = clientFor({ endpoint, region, credentials });
    await client.send(new CreateBucketCommand({ Bucket }));
    await using stage = await Stage.open({ endpoint, env: environmentOf(credentials, region) }, Bucket);
    stage.fill(12 * PART);
    let parts = 0;
    const revoked = Promise.withResolvers<void>();
    stage.front.before = async ({ url }) => {
      if (url?.includes('partNumber=') !== true || ++parts <= 6) return;
      if (parts === 7) void revoke().then(revoked.resolve, revoked.reject);
      await revoked.promise;
    };
    const revoke = async (): Promise<void> => {
      await guest.revoke();
      await until('the key to be refused', async () => await isRefused(client, Bucket));
    };
    const { exitCode, stdout } = await runCli(stage.args('run'), { env: stage.env });
    expect(exitCode).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ backups: [], failures: [{ code: 'STORE_REFUSED' }] });
    stage.front.before = undefined;
    expect(stage.parts()).toHaveLength(6);
    await guest.giveBack();
    await until('the key to be taken', async () => !(await isRefused(client, Bucket)));
    const before = stage.front.answered.length;
    expect((await stage.run()).backups).toMatchObject([{ version: 1, type: 'full' }]);
    expect(stage.parts(before)).toHaveLength(13 - 6);
    await stage.check();
    client.destroy();
  });
});

async function isRefused(client: S3Client, Bucket: string): Promise<boolean> {
  try {
    await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 1 }));
    return false;
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === 'InvalidAccessKeyId') return true;
    throw error;
  }
}
