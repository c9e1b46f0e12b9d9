import { expect, it } from 'vitest';
import { startS3Front } from '../../../harness/s3-front.ts';
import { withS3Server } from '../../../harness/s3-server.ts';
import type { Candidate } from '../../../src/mirror/bulk/candidate.ts';
import { withOrigin } from '../../../src/mirror/bulk/origin-window.ts';
import { S3Origin } from '../../../src/mirror/origin/s3/s3-origin.ts';
import { putObject } from '../../../src/s3/objects.ts';
import { all, bodyOf, bucketAt } from '../../s3/buckets.ts';
import { ruleOf } from '../origin/origins.ts';

const NEVER = new AbortController().signal;

await withS3Server((server) => {
  async function start(page: number) {
    const front = await startS3Front(server.endpoint);
    const name = await server.makeBucket();
    const direct = bucketAt(server, { bucket: name });
    const bucket = bucketAt(server, { bucket: name, endpoint: front.endpoint }, { page });
    const rule = ruleOf({ key: { strip: 'img/', add: 'pictures/' } });
    const origin = new S3Origin(bucket, { bucket: name, prefix: 'old/' }, rule);
    async function* candidates(paths: readonly string[]): AsyncGenerator<Candidate> {
      for (const path of paths)
        yield {
          kind: 'key',
          key: { key: path, path, query: undefined },
          rule,
          origin: undefined,
          kept: 'unknown',
        };
    }
    const told = async (paths: readonly string[]) =>
      await all(withOrigin(candidates(paths), [{ rule, origins: [origin] }], NEVER));
    const put = async (key: string) => await putObject(direct, key, bodyOf(key));
    return { front, told, put };
  }

  it('tells what the origin has, by few listings, and of nothing that it may lack', async () => {
    const { front, told, put } = await start(25);
    await using _ = front;
    const names = Array.from({ length: 60 }, (_, index) => `k${String(index).padStart(2, '0')}`);
    for (const name of names) await put(`old/pictures/${name}`);
    await put('old/other');
    const found = await told(['img/0', ...names.map((name) => `img/${name}`), 'img/k99']);
    const origins = found.map((each) => (each.kind === 'key' ? each.origin : undefined));
    expect([origins.at(0), origins.at(-1)]).toEqual([undefined, undefined]);
    for (const origin of origins.slice(1, -1))
      expect(origin).toMatchObject({ size: 'old/pictures/k00'.length, hasMd5: true });
    const requests = front.asked.map(({ method, url }) => `${method} ${url.includes('list-type=2')}`);
    expect(new Set(requests)).toEqual(new Set(['GET true']));
    expect(requests.length).toBeLessThanOrEqual(5);
  });

  it('leaves all to be asked for where the origin can not be listed', async () => {
    const { front, told, put } = await start(10);
    await using _ = front;
    front.refuse = () => ({ status: 403, code: 'AccessDenied' });
    await put('old/pictures/a');
    expect(await told(['img/a', 'img/b'])).toMatchObject([{ origin: undefined }, { origin: undefined }]);
    // Asked without the SDK, then with it.
    expect(front.refused).toBe(2);
  });
});
