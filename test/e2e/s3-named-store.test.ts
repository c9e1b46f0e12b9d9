import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scanOnce } from '../../harness/cli.ts';
import { temporaryFolder, writeTree } from '../../harness/data-tree.ts';
import { credentialsOf, environmentOf } from '../../harness/s3-access.ts';
import { s3Differences } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';

await withS3Server((server) => {
  test('a bucket with a name is reached with the keys that its store has, not those of the environment', async () => {
    const bucket = await server.makeBucket();
    await using root = await temporaryFolder('s3-named');
    await using settings = await temporaryFolder('s3-named-settings');
    await writeTree(root.path, { 'DC1/a': 10, 'DC1/finished.parse': '' });
    const { accessKeyId, secretAccessKey } = credentialsOf(server.env);
    writeFileSync(join(settings.path, 'secret'), `${secretAccessKey}\n`);
    const store = {
      url: `s3://${bucket}/named`,
      endpoint: server.endpoint,
      region: server.region,
      credentials: { accessKeyId, secretAccessKey: { file: join(settings.path, 'secret') } },
    };
    const config = join(settings.path, 'isync.json');
    writeFileSync(config, JSON.stringify({ stores: { main: store } }));
    const env = environmentOf({ accessKeyId: 'NOBODY', secretAccessKey: 'x' }, server.region);
    const args = ['--config', config, '--log-level', 'debug'];
    const ended = await scanOnce(root.path, { to: 'store:main', args, env });
    expect({ exitCode: ended.exitCode, stderr: ended.stderr }).toMatchObject({ exitCode: 0 });
    expect(ended.stdout + ended.stderr).not.toContain(secretAccessKey);
    expect(await s3Differences(server, bucket, 'named/edge1', root.path)).toEqual([]);
  });
});
