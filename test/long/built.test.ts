import { join } from 'node:path';
import { expect, test } from 'vitest';
import { build } from '../../harness/build.ts';
import { s3Differences } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { startNode } from '../../harness/process.ts';
import { isSealed, temporaryFolder, writeTree } from '../../harness/data-tree.ts';

/** What is published is not what all other tests run: its packages lie beside it. */
await withS3Server((server) => {
  test('what the build makes of it keeps files in a bucket', async () => {
    await using folder = await temporaryFolder('built');
    const main = await build(join(folder.path, 'package'));
    const root = join(folder.path, 'root');
    await writeTree(root, { 'DC1/small': 'some bytes', 'DC1/large': 100_000, 'DC1/finished.parse': '' });
    const bucket = await server.makeBucket();
    const to = ['--to', `s3://${bucket}/kept`, '--s3-endpoint', server.endpoint];
    const args = [main, 'scan', root, ...to, '--device', 'edge1', '--once'];
    const { exitCode, stderr } = await startNode(args, { env: server.env }).ended;
    expect(stderr).not.toMatch(/INTERNAL/);
    expect(exitCode).toBe(0);
    expect(isSealed(root, 'DC1')).toBe(true);
    expect(await s3Differences(server, bucket, 'kept/edge1', root)).toEqual([]);
  });
});
