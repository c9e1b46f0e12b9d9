import { existsSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { runCli } from '../../harness/cli.ts';
import { startCopyStage } from '../../harness/copy-stage.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { startWebhookStage } from '../../harness/webhook-stage.ts';

describe.concurrent('isync webhook resync', () => {
  it.each([
    [['--to', 's3://copy'], 'which bucket to compare', '--buckets'],
    [['--buckets', 'photos'], 'nothing says what to do', '--to s3://BUCKET'],
    [['--buckets', 'photos', '--to', 's3://photos/copy'], 'both a source and the target', 'another bucket'],
  ])('%j is refused, and no queue is made', async (args, why, hint) => {
    await using stage = await startWebhookStage();
    const state = stage.at('state');
    const { exitCode, stderr } = await runCli(['webhook', 'resync', '--state', state, ...args]);
    expect(stderr).toContain(why);
    expect(stderr).toContain(hint);
    expect(exitCode).toBe(2);
    expect(existsSync(state)).toBe(false);
  });
});

await withS3Server((server) => {
  test('queues what is missing, changed and removed, and a worker makes both sides equal', async () => {
    await using stage = await startCopyStage(server);
    const { from, to, put, remove, list } = stage;
    for (const key of ['same', 'changed', 'odd +%20é "\\', 'gone', 'a', 'b', 'c', 'd'])
      await put(from, key, `first ${key}`);
    const first = await stage.run('resync', '--json');
    expect(JSON.parse(first.stdout)).toEqual({ differences: 8, toCopy: 8, toRemove: 0, exitCode: 0 });
    expect(await stage.counts()).toMatchObject({ waiting: 8 });
    await stage.workOff();
    expect(await list(to)).toEqual(await list(from));

    await put(from, 'missing', 'new');
    await put(from, 'changed', 'other');
    await remove(from, 'gone');
    await put(to, 'a', 'by somebody');
    const second = await stage.run('resync');
    expect(second.stdout).toContain('3 objects to copy, 1 to remove: queued in');
    expect(second.exitCode).toBe(0);
    await stage.workOff();
    expect(await list(to)).toEqual(await list(from));
    expect((await stage.run('resync')).stdout).toContain('0 objects to copy, 0 to remove');
  });
});
