import { mkdirSync, readdirSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { runCli, scanOnce } from '../../harness/cli.ts';
import { filesBelow, temporaryFolder, writeTree } from '../../harness/data-tree.ts';
import { withS3Server } from '../../harness/s3-server.ts';

/** Large enough for an upload of several parts, of which no digest is kept. */
const LARGE_BYTES = 20 * 1024 * 1024;

await withS3Server((server) => {
  test('a bucket gives back what was sent to it, its mtimes too, and goes on with what is missing', async () => {
    const bucket = await server.makeBucket();
    await using root = await temporaryFolder('s3-fetch');
    await using back = await temporaryFolder('s3-fetch-back');
    await writeTree(root.path, {
      'DC1/small': 1000,
      'DC1/empty': '',
      'DC1/sub/middle': 700_000,
      'DC1/large': LARGE_BYTES,
      'DC1/finished.parse': '',
      'DC2/a': 5,
    });
    const to = `s3://${bucket}/site1`;
    const access = ['--s3-endpoint', server.endpoint, '--s3-region', server.region];
    const { env } = server;
    const ended = await scanOnce(root.path, { to, args: access, env });
    expect(ended).toMatchObject({ exitCode: 0 });

    const run = async (command: string, ...args: string[]) => {
      const { exitCode, stdout, stderr } = await runCli([command, ...args, ...access, '--json'], { env });
      return { exitCode, stderr, summary: JSON.parse(stdout) as unknown };
    };
    expect(await run('ls', to)).toMatchObject({
      exitCode: 0,
      summary: { devices: [{ name: 'edge1', directories: 2, sealed: 1, files: 6 }] },
    });
    expect(await run('ls', `${to}/edge1`)).toMatchObject({
      summary: {
        directories: [
          { name: 'DC1', sealed: true, files: 5 },
          { name: 'DC2', sealed: false, files: 1 },
        ],
      },
    });

    const into = join(back.path, 'new');
    expect(await run('fetch', `${to}/edge1`, into)).toMatchObject({
      exitCode: 0,
      summary: { files: 6, there: 0, problemCount: 0 },
    });
    const sent = [...(await filesBelow(root.path)).keys()].filter((path) => !path.endsWith('.watch'));
    expect([...(await filesBelow(into)).keys()].toSorted()).toEqual(sent.toSorted());
    for (const path of sent) {
      const [here, there] = [join(into, path), join(root.path, path)];
      expect((await readFile(here)).equals(await readFile(there))).toBe(true);
      expect(Math.abs((await stat(here)).mtimeMs - (await stat(there)).mtimeMs)).toBeLessThan(0.01);
    }
    expect(await run('fetch', `${to}/edge1`, into)).toMatchObject({
      exitCode: 0,
      summary: { files: 0, there: 6 },
    });
    expect(await run('fetch', `${to}/edge1/DC1`, into, '*.none')).toMatchObject({
      exitCode: 1,
      summary: { error: { code: 'NOT_FOUND' } },
    });
  });

  test('keys that lead elsewhere stay where they are', async () => {
    const bucket = await server.makeBucket();
    await using back = await temporaryFolder('s3-fetch-hostile');
    const into = join(back.path, 'in/to');
    mkdirSync(into, { recursive: true });
    const keys = ['edge1/../../../out', 'edge1/DC1/../../../../out', '/out', 'edge1//out', 'edge1/DC1/good'];
    const own = ['edge1/.isync/staging/x', 'edge1/DC1/finished.watch'];
    for (const Key of [...keys, ...own])
      await server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }));
    const args = [
      `s3://${bucket}/edge1`,
      into,
      '--s3-endpoint',
      server.endpoint,
      '--s3-region',
      server.region,
    ];
    const { exitCode, stdout } = await runCli(['fetch', ...args, '--json'], { env: server.env });
    const summary = JSON.parse(stdout) as { files: number; problems: { path: string; code: string }[] };
    expect({ exitCode, files: summary.files }).toEqual({ exitCode: 1, files: 1 });
    expect(summary.problems).toMatchObject([{ code: 'BAD_PATH', path: 'DC1/finished.watch' }]);
    expect([...(await filesBelow(back.path)).keys()]).toEqual(['in/to/DC1/good']);
    expect(readdirSync(back.path)).toEqual(['in']);
  });
});
