import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { lacks } from '../../harness/tools.ts';
import { scriptStage } from '../events/script-stage.ts';

const DOCS = join(import.meta.dirname, '../../docs/webhook.md');

const KEYS = [
  'plain',
  'with two  blanks ',
  '-rf',
  '--key',
  '100%25 %s',
  'plus+plus',
  'line\nbreak\n',
  `quotes ' " \``,
  '$(touch x); `id` & * ? \\',
  'file:///etc/passwd',
  'https://example.com/',
  'a?versionId=null',
  'folder/',
  'a//b/../c',
  'ключ/日本語/🗝',
];

const noTool = ['aws' as const, 'jq' as const].some((tool) => lacks(tool));

await withS3Server((server) => {
  describe.skipIf(noTool)('the script of the guide that copies from bucket to bucket', () => {
    it.each(KEYS)('copies and removes %j', async (key) => {
      const [from, to] = [await server.makeBucket(), await server.makeBucket()];
      const stage = scriptStage();
      // All that it knows of the server is in the home of its user.
      const { accessKeyId, secretAccessKey } = server.credentials;
      mkdirSync(join(stage.folder, '.aws'));
      writeFileSync(
        join(stage.folder, '.aws/config'),
        `[default]
region = ${server.region}
endpoint_url = ${server.endpoint}
aws_access_key_id = ${accessKeyId}
aws_secret_access_key = ${secretAccessKey}
request_checksum_calculation = when_required
s3 =
  addressing_style = path
`,
      );
      vi.stubEnv('HOME', stage.folder);
      onTestFinished(() => void vi.unstubAllEnvs());
      const run = stage.script(scriptOfGuide().replace('to=backup', `to=${to}`));

      await server.client.send(new PutObjectCommand({ Bucket: from, Key: key, Body: key }));
      expect(await run({ event: { bucket: from, key } })).toEqual({ outcome: 'done' });
      const copy = await server.client.send(new GetObjectCommand({ Bucket: to, Key: key }));
      expect(await copy.Body?.transformToString()).toBe(key);

      await run({ event: { bucket: from, key, kind: 'removed' } });
      expect((await server.client.send(new ListObjectsV2Command({ Bucket: to }))).KeyCount).toBe(0);
      await server.client.send(new DeleteObjectCommand({ Bucket: from, Key: key }));
    });
  });
});

/** As it stands there, without its first line. */
function scriptOfGuide(): string {
  const [, script] = /```sh\n#!\/bin\/sh\n([^`]*)```/.exec(readFileSync(DOCS, 'utf8')) ?? [];
  if (script === undefined) throw new Error('the guide has no script');
  return script;
}
