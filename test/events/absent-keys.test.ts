import { PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { AbsentKeys } from '../../src/events/action/copy/absent-keys.ts';
import { TargetBucket } from '../../src/events/action/copy/target-bucket.ts';
import { BucketPool } from '../../src/events/action/bucket-pool.ts';

const signal = new AbortController().signal;

await withS3Server((server) => {
  const start = async (there: readonly string[], most: number) => {
    const bucket = await server.makeBucket();
    const front = await startS3Front(server.endpoint);
    const access = { endpoint: front.endpoint, credentials: server.credentials };
    const pool = new BucketPool(access);
    onTestFinished(async () => {
      pool[Symbol.dispose]();
      await front[Symbol.asyncDispose]();
    });
    for (const Key of there)
      await server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }));
    const absent = new AbsentKeys(new TargetBucket(pool, { access, bucket, prefix: '' }), most);
    return { front, absent, has: async (key: string) => await absent.has(key, signal) };
  };

  it('one listing tells of the keys of a folder that come after the one that was asked about', async () => {
    const { front, absent, has } = await start(['f/1a', 'f/2c', 'f/3e', 'f/4g', 'g/a'], 2);
    expect(await has('f/2b')).toBe(true);
    expect(await has('f/3d')).toBe(true);
    for (const key of ['f/2c', 'f/3e']) expect(await has(key)).toBe(false);
    expect(front.asked).toHaveLength(1);
    // Behind what one listing gives.
    expect(await has('f/4f')).toBe(true);
    expect(await has('f/5z')).toBe(true);
    expect(front.asked).toHaveLength(2);
    absent.put('f/5z');
    expect(await has('f/5z')).toBe(false);
    expect(front.asked).toHaveLength(2);
    expect(await has('f/1a')).toBe(false);
    expect(await has('h/x')).toBe(true);
    expect(front.asked).toHaveLength(4);
  });

  it.each([1, 3, 1000])(
    'says of no key that is there that it is not, whatever its characters, by listings of %i',
    async (most) => {
      const names = ['a', 'b', 'é', 'z', '\uffee', '😀', '😁', 'a b', 'a+b', 'a%2Fb', '!', '~'];
      const [there, others] = [0, 1].map((rest) =>
        names.filter((_, index) => index % 2 === rest).map((name) => `f/${name}`),
      );
      if (there === undefined || others === undefined) throw new Error('two halves were made');
      const { has } = await start(there, most);
      const told = async (keys: readonly string[]) =>
        await Promise.all(keys.map(async (key) => await has(key)));
      const [ofOthers, ofThere] = await Promise.all([told(others), told(there)]);
      expect(ofThere).toEqual(there.map(() => false));
      expect(ofOthers.filter(Boolean).length).toBeGreaterThanOrEqual(most === 1000 ? others.length : 0);
    },
  );

  it('makes no listings that cost more than they save', async () => {
    const { front, has } = await start([], 1000);
    // Each in a folder of its own.
    for (let index = 0; index < 200; index++) await has(`${index}/k`);
    expect(front.asked.length).toBeLessThan(200);
    const before = front.asked.length;
    for (let index = 0; index < 100; index++) await has(`0/k${index}`);
    expect(front.asked.length - before).toBeLessThan(5);
  });
});
