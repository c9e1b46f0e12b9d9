import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isync } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

/** Of a user without rights. */
const NOBODY = 65_534;
/** Nothing answers there: the queue is not what these tests are about. */
const NOWHERE = 'http://127.0.0.1:9';

describe('isync pull --check', () => {
  it.skipIf(process.getuid?.() !== 0)(
    'says of each mapped folder whether it can be written to, or made',
    async () => {
      const base = temporaryFolder();
      chmodSync(base, 0o755);
      for (const name of ['mine', 'state']) mkdirSync(join(base, name));
      for (const name of ['mine', 'state']) chownSync(join(base, name), NOBODY, NOBODY);
      mkdirSync(join(base, 'theirs'));
      const file = join(base, 'pull.yaml');
      writeFileSync(
        file,
        JSON.stringify({
          queue: 'q',
          state: 'state/of-pull',
          minFree: '1',
          sqsEndpoint: NOWHERE,
          s3Endpoint: NOWHERE,
          sync: { 'a/': 'mine', 'b/': 'theirs', 'c/': 'mine/new/deep', 'd/': 'theirs/new' },
        }),
      );
      const { stdout, code } = await isync(['pull', '--check', '--config', file, '--json'], {
        uid: NOBODY,
        env: { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's', AWS_MAX_ATTEMPTS: '1' },
      });
      expect(code).toBe(1);
      const { findings } = JSON.parse(stdout) as { findings: { name: string; level: string }[] };
      const levels = Object.fromEntries(
        findings.map(({ name, level }) => [name.replace(`${base}/`, ''), level]),
      );
      expect(levels).toMatchObject({
        'folder mine': 'ok',
        'folder theirs': 'fault',
        'folder mine/new/deep': 'ok',
        'folder theirs/new': 'fault',
        'folder state/of-pull': 'ok',
      });
      expect(readdirSync(join(base, 'state'))).toEqual([]);
      expect(readdirSync(join(base, 'mine'))).toEqual([]);
    },
  );

  it('takes a folder that can not be opened for a finding, and checks all else', async () => {
    const base = temporaryFolder();
    const file = join(base, 'pull.yaml');
    writeFileSync(join(base, 'in'), 'a file');
    writeFileSync(
      file,
      JSON.stringify({
        queue: 'q',
        sqsEndpoint: NOWHERE,
        s3Endpoint: NOWHERE,
        buckets: ['bucket'],
        sync: { '': 'in' },
      }),
    );
    const { stdout, code } = await isync(['pull', '--check', '--config', file, '--json'], {
      env: { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's', AWS_MAX_ATTEMPTS: '1' },
    });
    expect(code).toBe(1);
    const { findings } = JSON.parse(stdout) as {
      findings: { name: string; level: string }[];
    };
    expect(findings.map(({ name }) => name)).toEqual([
      'queue',
      'bucket bucket',
      'missing key in bucket/',
      `folder ${join(base, 'in')}`,
    ]);
    expect(findings.at(-1)?.level).toBe('fault');
  });

  it('makes no state, nor does --dry-run', async () => {
    const base = temporaryFolder();
    const file = join(base, 'pull.yaml');
    writeFileSync(
      file,
      JSON.stringify({
        queue: 'q',
        sqsEndpoint: NOWHERE,
        s3Endpoint: NOWHERE,
        buckets: ['bucket'],
        sync: { '': 'in' },
      }),
    );
    const env = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's' };
    expect((await isync(['pull', '--check', '--config', file], { env })).code).toBe(1);
    expect((await isync(['pull', '--dry-run', '--config', file], { env })).code).toBe(4);
    expect(readdirSync(base)).toEqual(['pull.yaml']);
  });
});
