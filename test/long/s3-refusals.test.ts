import { beforeAll, describe, expect, test } from 'vitest';
import { s3Differences } from '../../harness/s3-objects.ts';
import { environmentOf } from '../../harness/s3-access.ts';
import { lacks, libfaketime } from '../../harness/tools.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { runCli, scanOnce } from '../../harness/cli.ts';
import { filesBelow, isMarked, temporaryFolder, writeTree } from '../../harness/data-tree.ts';

await withS3Server((server) => {
  const flags = ['--s3-endpoint', server.endpoint];
  let bucket: string;
  beforeAll(async () => {
    bucket = await server.makeBucket();
  });

  describe.concurrent.each(['scan', 'receive'] as const)('%s with a bucket', (command) => {
    test('that is not ours ends with 3', async ({ skip }) => {
      const stranger = await server.stranger();
      if (stranger === undefined) return skip('no second user on this server');
      expect(await refusalOf(command, environmentOf(stranger, server.region))).toEqual(refused(3));
    });

    test('and an access key that nobody has ends with 3', async () => {
      const nobody = { accessKeyId: 'NOBODY', secretAccessKey: 'x' };
      expect(await refusalOf(command, environmentOf(nobody, server.region))).toEqual(refused(3));
    });
  });

  test.skipIf(lacks('faketime'))('a clock that is 20 minutes slow does not matter', async () => {
    await using folder = await temporaryFolder('s3-clock');
    await writeTree(folder.path, { 'DC1/a': 10, 'DC1/large': 9_000_000, 'DC1/finished.parse': '' });
    const clock = { LD_PRELOAD: libfaketime() ?? '', FAKETIME: '-20m', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
    const { exitCode, stderr } = await scanOnce(folder.path, {
      to: `s3://${bucket}/clock`,
      args: flags,
      env: { ...server.env, ...clock },
    });
    expect(exitCode).toBe(0);
    expect(await s3Differences(server, bucket, 'clock/edge1', folder.path)).toEqual([]);
    const logged = /"time":"([^"]+)"/.exec(stderr)?.[1] ?? '';
    expect(Date.now() - Date.parse(logged)).toBeGreaterThan(15 * 60_000);
  });

  /** What the user sees of it, and what it has left behind. */
  async function refusalOf(command: 'scan' | 'receive', env: Readonly<Record<string, string>>) {
    await using folder = await temporaryFolder('s3-refusals');
    await writeTree(folder.path, { 'DC1/a': 10 });
    const address = `s3://${bucket}/kept`;
    const args =
      command === 'scan'
        ? [folder.path, '--to', address, '--device', 'edge1', '--once']
        : [address, '--listen', '127.0.0.1:0'];
    const ended = await runCli([command, ...args, ...flags], { env });
    const files = [...(await filesBelow(folder.path)).values()];
    return {
      exitCode: ended.exitCode,
      told: (ended.stderr.includes('STORE_REFUSED') && ended.stderr.includes(bucket)) || ended.stderr,
      stackTrace: /^\s+at .+:\d+:\d+\)?$/m.test(ended.stderr),
      marked: files.filter(isMarked).length,
    };
  }
});

/** Told under its code, naming the bucket, in words and not as a stack trace; nothing is marked. */
function refused(exitCode: number) {
  return { exitCode, told: true, stackTrace: false, marked: 0 };
}
