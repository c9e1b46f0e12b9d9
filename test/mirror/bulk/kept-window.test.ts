import { expect, it } from 'vitest';
import { withS3Server } from '../../../harness/s3-server.ts';
import type { Candidate } from '../../../src/mirror/bulk/candidate.ts';
import { withKept } from '../../../src/mirror/bulk/kept-window.ts';
import { putObject } from '../../../src/s3/objects.ts';
import { all, bodyOf, bucketAt } from '../../s3/buckets.ts';
import { ruleOf } from '../origin/origins.ts';

async function* candidates(paths: readonly string[]): AsyncGenerator<Candidate> {
  const rule = ruleOf();
  for (const path of paths)
    yield {
      kind: 'key',
      key: { key: path, path, query: undefined },
      rule,
      origin: undefined,
      kept: 'unknown',
    };
}

await withS3Server((server) => {
  it('tells of each key what the bucket has, or that nobody has looked', async () => {
    const bucket = bucketAt(server, { bucket: await server.makeBucket() }, { page: 3 });
    const there = ['a', 'a/b', 'ä', 'b', 'c/d', 'd', '\uFFFD', '\u{1F600}', 'z'];
    for (const key of there) await putObject(bucket, `pre/${key}`, bodyOf(key));
    await putObject(bucket, 'other', bodyOf('x'));
    const asked = ['0', 'a', 'aa', 'd', 'z', '\u{1F600}', '\u{1F600}x', 'a/b', 'c', 'ä', ...there];
    const signal = new AbortController().signal;
    const told = await all(withKept(candidates(asked), { bucket, prefix: 'pre/', signal }));
    expect(told.map((each) => each.kind === 'key' && each.key.key)).toEqual(asked);
    const looked = told.flatMap((each) => (each.kind === 'key' && each.kept !== 'unknown' ? [each] : []));
    expect(looked.length).toBeGreaterThan(3);
    for (const { key, kept } of looked)
      expect([key.key, kept !== undefined]).toEqual([key.key, there.includes(key.key)]);
  });

  it('needs one page where the bucket has nothing', async () => {
    const bucket = bucketAt(server, { bucket: await server.makeBucket() });
    const signal = new AbortController().signal;
    const told = await all(withKept(candidates(['b', 'c', 'bb', 'd']), { bucket, prefix: 'pre/', signal }));
    expect(told).toMatchObject(Array.from({ length: 4 }, () => ({ kept: undefined })));
  });
});
