import { describe, expect, it, test } from 'vitest';
import { failureOf, startPullStage } from '../../harness/pull-stage.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { startWebhookStage } from '../../harness/webhook-stage.ts';
import { runCli } from '../../harness/cli.ts';
import { listed } from '../../harness/copy-stage.ts';

describe('isync pull', () => {
  it.each([
    [['--script', '/bin/true', '--to', 's3://copy'], "can't be beside to"],
    [['--to', 's3://copy', '--sync', 'a/=b'], "can't be beside sync"],
  ])('does one thing about an event: %j is refused', async (args, why) => {
    await using stage = await startWebhookStage();
    const all = ['pull', '--queue', 'events', '--region', 'x', '--state', stage.at('state'), ...args];
    const { exitCode, stderr } = await runCli(all);
    expect(stderr).toContain(why);
    expect(exitCode).toBe(2);
  });
});

await withS3Server((server) => {
  test('copies to another bucket in place of folders, and with --once ends when the queue is empty', async () => {
    await using stage = await startPullStage(server);
    const { put, remove, bucket } = stage;
    const copy = await server.makeBucket();
    await stage.configure({ sync: undefined, to: `s3://${copy}/of`, targetEndpoint: server.endpoint });
    for (const key of ['a', 'b/+ %20é', 'gone']) await put(key, `content of ${key}`);
    await remove('gone');
    await stage.bridge.flush();
    const ended = await stage.once();
    expect(failureOf(ended)).toBe('');
    expect(ended.summary).toMatchObject({ written: 2, parked: 0 });
    const originals = Object.entries(await listed(server, bucket));
    expect(originals).toHaveLength(2);
    expect(await listed(server, copy)).toEqual(
      Object.fromEntries(originals.map(([key, etag]) => [`of/${key}`, etag])),
    );
    expect(await stage.isDrained()).toBe(true);
  });
});
