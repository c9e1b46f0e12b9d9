import { existsSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { failureOf, startPullStage, textsBelow } from '../../harness/pull-stage.ts';
import { withS3Server } from '../../harness/s3-server.ts';

await withS3Server((server) => {
  test('isync pull brings a new machine up to date with --resync, and mends what was lost there; --dry-run only says it', async () => {
    await using stage = await startPullStage(server);
    const { at, put, remove } = stage;
    for (const key of ['a/one', 'a/deep/two', 'b/three', 'b/four', 'b/five', 'b/six', 'none/x'])
      await put(key, key);
    // Its queue never heard of them.
    await stage.configure({ queue: (await stage.sqs.makeQueue()).name, buckets: [stage.bucket] });
    const dry = await stage.once(['--resync', '--dry-run']);
    expect(failureOf(dry)).toBe('');
    expect(dry.summary).toMatchObject({ differences: 6 });
    expect([at('a'), at('deep'), at('b')].flatMap((folder) => (existsSync(folder) ? [folder] : []))).toEqual(
      [],
    );

    const first = await stage.once(['--resync']);
    expect(failureOf(first)).toBe('');
    expect(await textsBelow(at('a'))).toEqual({ one: 'a/one' });
    expect(await textsBelow(at('deep'))).toEqual({ two: 'a/deep/two' });
    expect(Object.keys(await textsBelow(at('b')))).toEqual(['five', 'four', 'six', 'three']);

    await remove('b/six');
    await put('b/five', 'new');
    writeFileSync(at('b/three'), 'written by somebody');
    const again = await stage.once(['--resync']);
    expect(again.summary).toMatchObject({ differences: 3 });
    expect(await textsBelow(at('b'))).toEqual({ five: 'new', four: 'b/four', three: 'b/three' });
    expect((await stage.once(['--resync'])).summary).toMatchObject({ differences: 0, written: 0 });
  });
});
