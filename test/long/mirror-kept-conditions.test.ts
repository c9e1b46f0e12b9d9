import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { PROBE_KEY } from '../../src/mirror/kept/conditions.ts';
import { openKeptBucket } from '../../src/mirror/kept/s3-kept-bucket.ts';
import { createS3Client } from '../../src/s3/client.ts';
import { listUploads } from '../../src/s3/multipart.ts';
import { putObject } from '../../src/s3/objects.ts';
import type { S3Credentials } from '../../harness/s3-access.ts';
import { startS3Front, type S3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { newSpool, spooled } from '../mirror/spooled.ts';
import { RecordingLog } from '../recording-log.ts';
import { all, bodyOf, bucketAt, contentOf } from '../s3/buckets.ts';

const HEAD = {
  size: undefined,
  headers: {},
  etag: undefined,
  modifiedMs: undefined,
  metadata: {},
  origin: 'https://old.example/a',
};
const NEVER = new AbortController().signal;

await withS3Server((server) => {
  async function newKept(
    endpoint: string,
    { client, name }: { readonly client?: S3Client | undefined; readonly name?: string } = {},
  ) {
    const access = { bucket: name ?? (await server.makeBucket()), endpoint };
    const bucket = bucketAt(server, access, { client });
    return { bucket, kept: openKeptBucket({ bucket, prefix: 'p/', log: new RecordingLog(), isAws: false }) };
  }

  it('knows before its first PUT whether conditions are heeded, and has no need to look then', async () => {
    await using front = await startS3Front(server.endpoint);
    const { bucket, kept } = await newKept(front.endpoint);
    const spool = await newSpool();
    const [once, again, taken] = ['PUT 200', 'PUT 412', 'HEAD 200'];
    for (const key of ['a', 'b', 'c']) {
      using body = await spooled(spool, randomBytes(100));
      expect(await kept.put(key, body, HEAD, { signal: NEVER })).toBe('kept');
    }
    const told = () => front.answered.map(({ method, status }) => `${method} ${status}`);
    expect(told()).toEqual([once, again, once, once, once]);
    // Another process finds what the first has left.
    const { kept: other } = await newKept(front.endpoint, { name: bucket.name });
    using body = await spooled(spool, randomBytes(100));
    expect(await other.put('a', body, HEAD, { signal: NEVER })).toBe('present');
    expect(await other.put('d', body, HEAD, { signal: NEVER })).toBe('kept');
    const replaces = (await other.head('d'))!;
    using newer = await spooled(spool, randomBytes(100));
    expect(await other.put('d', newer, HEAD, { signal: NEVER, replaces })).toBe('kept');
    expect(told().slice(5, 8)).toEqual([again, again, once]);
    // Ceph refuses the first way to write the condition.
    expect(told().slice(8)).toEqual([taken, again, again, again, taken, once]);
  });

  it('replaces on a condition that the server heeds, however it wants it written', async () => {
    await using front = await startS3Front(server.endpoint);
    const { bucket, kept } = await newKept(front.endpoint);
    await putObject(bucket, 'p/a', bodyOf('old'));
    const replaces = (await kept.head('a'))!;
    const conditions: (string | undefined)[] = [];
    front.before = async ({ method, headers, url = '' }) => {
      if (method !== 'PUT') return;
      if (url.includes(PROBE_KEY) || headers['if-match'] === undefined) return;
      conditions.push(headers['if-match']);
      // What comes between the look and the last try is left.
      if (conditions.length === 2)
        await putObject(bucketAt(server, { bucket: bucket.name }), 'p/a', bodyOf('new'));
    };
    using body = await spooled(await newSpool(), Buffer.from('newer'));
    expect(await kept.put('a', body, HEAD, { signal: NEVER, replaces })).toBe('present');
    expect(conditions).toEqual([`"${replaces.etag}"`, replaces.etag]);
    expect(String(await contentOf(bucket, 'p/a'))).toBe('new');
  });

  it.each([
    ['say that they do not know conditions', refuseConditions],
    ['overwrite in spite of conditions', loseConditions],
  ])('leaves what stands there with servers that %s', async (_, spoil) => {
    await using front = await startS3Front(server.endpoint);
    const client = spoil(front, server.credentials);
    const { bucket, kept } = await newKept(front.endpoint, { client });
    const spool = await newSpool();
    for (const key of ['a', 'b', 'c']) {
      using body = await spooled(spool, Buffer.from(key));
      expect(await kept.put(key, body, HEAD, { signal: NEVER })).toBe('kept');
      expect(await kept.put(key, await spooled(spool, Buffer.from('x')), HEAD, { signal: NEVER })).toBe(
        'present',
      );
      expect(String(await contentOf(bucket, `p/${key}`))).toBe(key);
    }
    await putObject(bucket, 'p/d', bodyOf('the application'));
    using body = await spooled(spool, randomBytes(100));
    expect(await kept.put('d', body, HEAD, { signal: NEVER })).toBe('present');
    expect(String(await contentOf(bucket, 'p/d'))).toBe('the application');
  });

  it('does without what it can not find out', async () => {
    await using front = await startS3Front(server.endpoint);
    const { bucket, kept } = await newKept(front.endpoint);
    front.refuse = ({ url = '' }) =>
      url.includes(PROBE_KEY) ? { status: 403, code: 'AccessDenied' } : undefined;
    const spool = await newSpool();
    for (const key of ['a', 'b']) {
      using body = await spooled(spool, Buffer.from(key));
      expect(await kept.put(key, body, HEAD, { signal: NEVER })).toBe('kept');
    }
    expect(front.answered.map(({ method, status }) => `${method} ${status}`)).toEqual([
      'HEAD 404',
      'PUT 200',
      'HEAD 404',
      'PUT 200',
    ]);
    expect(front.refused).toBe(1);
    expect(String(await contentOf(bucket, 'p/b'))).toBe('b');
  });

  it.each([
    ['small', 900, ['probe', 'HEAD', 'after']],
    ['large', 2_000_000, ['probe', 'uploads', 'PUT', 'HEAD', 'after']],
  ])(
    'lets the application win, 200 of 200, with a server that overwrites in spite of conditions: %s bodies',
    { timeout: 600_000 },
    async (_, size, moments) => {
      await using front = await startS3Front(server.endpoint);
      const client = loseConditions(front, server.credentials);
      const { bucket } = await newKept(front.endpoint, { client });
      const direct = bucketAt(server, { bucket: bucket.name });
      const mine = bodyOf('the application');
      const due = new Map<string, string>();
      let probed: (() => Promise<void>) | undefined;
      front.before = async ({ method = '', url = '' }) => {
        if (url.includes(PROBE_KEY)) return await probed?.();
        const [, key = ''] = /\/p\/(k\d+)/.exec(url) ?? [];
        const moment = url.includes('uploads') ? 'uploads' : method;
        if (due.get(key) !== moment) return;
        due.delete(key);
        await putObject(direct, `p/${key}`, mine);
      };
      const spool = await newSpool();
      let won = 0;
      for (let index = 0; index < 200; index++) {
        const key = `k${index}`;
        const moment = moments[index % moments.length]!;
        const put = async (): Promise<void> => void (await putObject(direct, `p/${key}`, mine));
        // Each time as the first object of a process, of whose server nothing is known yet.
        const { kept } = await newKept(front.endpoint, { client, name: bucket.name });
        probed = moment === 'probe' ? put : undefined;
        if (moment !== 'after') due.set(key, moment);
        using body = await spooled(spool, randomBytes(size));
        const filling = kept.put(key, body, HEAD, { signal: NEVER });
        if (moment === 'after') {
          // As soon as ours is there, whatever else is still done about it.
          while ((await contentOf(direct, `p/${key}`)) === undefined) await setTimeout(1);
          await put();
        }
        // What comes after ours may come before the answer to ours is read.
        expect(moment === 'after' ? ['kept', 'present'] : ['present']).toContain(await filling);
        if (String(await contentOf(direct, `p/${key}`)) === 'the application') won += 1;
      }
      expect(won).toBe(200);
      expect(await all(listUploads(direct, ''))).toEqual([]);
    },
  );
});

/** As Swift does. */
function refuseConditions(front: S3Front): undefined {
  front.refuse = ({ headers }) =>
    headers['if-none-match'] === undefined ? undefined : { status: 501, code: 'NotImplemented' };
}

/** As old servers do: to the server it looks as if no condition had been sent. */
function loseConditions({ endpoint }: S3Front, credentials: S3Credentials): S3Client {
  const client = createS3Client({ bucket: '', endpoint, credentials }, 10);
  onTestFinished(() => client.destroy());
  client.middlewareStack.add(
    (next) => (call) => {
      delete (call.request as { headers: Record<string, string> }).headers['if-none-match'];
      return next(call);
    },
    { step: 'build' },
  );
  return client;
}
