import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keysBelow } from '../../harness/s3-objects.ts';
import { lacks } from '../../harness/tools.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import type { Scanned } from '../../harness/cli.ts';
import { differences } from '../../harness/data-tree.ts';
import { startS3Stage, type S3Stage } from '../../harness/s3-stage.ts';
import type { Edge } from '../../harness/stage.ts';

/** What other tools read too. */
const NAMES = [
  'plain.txt',
  'with space.txt',
  ' leading and trailing ',
  'plus+plus',
  'percent%20%2F%',
  'ünï-çödé-日本語-🚀',
  'e\u0301 decomposed',
  'quote\'s and "double"',
  'amp&lt;<tag>;#?=',
  'back\\slash',
  'star*[x]{y}~$`|',
  'new\nline',
  'tab\there',
  'bell\u0007',
  'sub folder/+/%/deep',
  'UPPER and upper/x',
  'upper and UPPER/x',
];
const run = promisify(execFile);

await withS3Server((server) => {
  describe('what isync keeps', () => {
    let s3: S3Stage;
    let edge: Edge;
    let prefix: string;
    let scanned: Scanned;
    beforeAll(async () => {
      s3 = await startS3Stage(server);
      edge = await s3.stage.edge('edge1');
      await edge.write(Object.fromEntries(NAMES.map((name, index) => [`DC1/${name}`, index * 100])));
      await edge.write({ 'DC1/parts': 20_000_000, 'DC1/finished.parse': 'closed' });
      scanned = await edge.scan();
      prefix = `${s3.prefix}/edge1`;
    });
    afterAll(async () => {
      await s3[Symbol.asyncDispose]();
    });

    test('has the paths as keys', async () => {
      expect([scanned.exitCode, scanned.summary.problems]).toEqual([0, []]);
      const expected = [...NAMES, 'parts', 'finished.parse'].map((name) => `${prefix}/DC1/${name}`);
      expect((await keysBelow(server, s3.bucket, prefix)).sort()).toEqual(expected.sort());
    });

    const noRclone = lacks('rclone');
    test.skipIf(noRclone)('is read back by rclone, byte by byte, with the mtime', async () => {
      const copy = join(s3.stage.folder, 'by-rclone');
      await run('rclone', ['copy', `server:${s3.bucket}/${prefix}`, copy], { env: rclone() });
      expect(await differences(edge.root, copy)).toEqual([]);
    });

    test.skipIf(lacks('aws'))('is read back by the AWS CLI, byte by byte', async () => {
      const copy = join(s3.stage.folder, 'by-aws');
      await mkdir(copy);
      await run('aws', [...aws(), 's3', 'cp', '--recursive', `s3://${s3.bucket}/${prefix}`, copy], {
        env: environment(),
      });
      const found = await differences(edge.root, copy);
      expect(found.filter((difference) => !difference.endsWith('has another mtime'))).toEqual([]);
    });

    test.skipIf(noRclone).each([
      { name: 'plain.txt', digest: /^xxh64:[0-9a-f]{16}$/ },
      // Its metadata are given before its bytes are known.
      { name: 'parts', digest: /^$/ },
    ])('tells of $name what rclone and people want to know', async ({ name, digest }) => {
      const Key = `${prefix}/DC1/${name}`;
      const { Metadata } = await server.client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key }));
      const { mtimeMs } = statSync(join(edge.root, 'DC1', name));
      expect(Number(Metadata?.['mtime']) * 1000).toBeCloseTo(mtimeMs, 2);
      expect(Metadata).toMatchObject({ mode: '100644', 'isync-device': 'edge1' });
      expect(Metadata?.['isync-digest'] ?? '').toMatch(digest);
      const { stdout } = await run('rclone', ['lsjson', '-M', `server:${s3.bucket}/${Key}`], {
        env: rclone(),
      });
      const [seen] = JSON.parse(stdout) as [{ ModTime: string; Metadata?: Record<string, string> }];
      expect(Date.parse(seen.ModTime)).toBeCloseTo(mtimeMs, -1);
      expect(seen.Metadata).toMatchObject({ mode: '100644', 'isync-device': 'edge1' });
      expect(Date.parse(seen.Metadata?.['mtime'] ?? '')).toBeCloseTo(mtimeMs, -1);
    });

    /** Without this machine's own settings for these tools. */
    function environment(): NodeJS.ProcessEnv {
      return { PATH: process.env['PATH'], HOME: s3.stage.folder, LANG: 'C.UTF-8', ...s3.env };
    }

    function rclone(): NodeJS.ProcessEnv {
      return {
        ...environment(),
        RCLONE_CONFIG: '/dev/null',
        RCLONE_CONFIG_SERVER_TYPE: 's3',
        RCLONE_CONFIG_SERVER_PROVIDER: 'Ceph',
        RCLONE_CONFIG_SERVER_ACCESS_KEY_ID: server.credentials.accessKeyId,
        RCLONE_CONFIG_SERVER_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
        RCLONE_CONFIG_SERVER_ENDPOINT: server.endpoint,
        RCLONE_CONFIG_SERVER_REGION: server.region,
        // XML can't hold every character of a name; by itself rclone finds that out after 40 s.
        RCLONE_CONFIG_SERVER_LIST_URL_ENCODE: 'true',
      };
    }

    function aws(): string[] {
      return ['--endpoint-url', server.endpoint];
    }
  });
});
