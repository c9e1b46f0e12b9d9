import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hasNoCredentials } from '../../src/aws/no-credentials.ts';
import { isync } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

const NONE = new Error('Could not load credentials from any providers');

it.each([
  ['a machine of no cloud', NONE, {}, false, true],
  ['one of EC2, whose server may not have answered', NONE, {}, true, false],
  ['one of EC2 that does not ask that server', NONE, { AWS_EC2_METADATA_DISABLED: 'true' }, true, true],
  ['one of EC2 that does', NONE, { AWS_EC2_METADATA_DISABLED: 'false' }, true, false],
  ['a container', NONE, { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/x' }, false, false],
  ['another server of metadata', NONE, { AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://x' }, false, false],
  ['another fault', new Error('The SSO session has expired'), {}, false, false],
])('tells whether credentials may come: %s', (_, error, env, isEc2, has) => {
  expect(hasNoCredentials(error, env, () => isEc2)).toBe(has);
});

it('--once ends at once where there are none', async () => {
  const folder = temporaryFolder();
  const config = join(folder, 'pull.yaml');
  writeFileSync(
    config,
    JSON.stringify({ queue: 'q', region: 'us-east-1', sqsEndpoint: 'http://127.0.0.1:9', sync: { a: 'a' } }),
  );
  const began = performance.now();
  const { code, stderr } = await isync(['pull', '--once', '--config', config], {
    env: { HOME: folder, AWS_EC2_METADATA_DISABLED: 'true' },
  });
  expect(stderr).toContain('no credentials for the queue were found');
  expect(code).toBe(3);
  // It would try again for a minute.
  expect(performance.now() - began).toBeLessThan(45_000);
});
