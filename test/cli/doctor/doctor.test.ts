import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startReceiver } from '../../../harness/cli.ts';
import { isync } from '../isync-process.ts';
import { temporaryFolder } from '../temporary-folder.ts';

interface Checks {
  readonly checks: readonly { readonly name: string; readonly level: string }[];
  readonly exitCode: number;
}

function rootWithFile(): string {
  const root = temporaryFolder();
  mkdirSync(join(root, 'DC1'));
  writeFileSync(join(root, 'DC1/a.bin'), 'aaaa');
  return root;
}

it('doctor finds a pair well, from both sides, and leaves nothing behind', async () => {
  const [root, store] = [rootWithFile(), temporaryFolder()];
  const before = await isync(['doctor', 'receive', store, '--listen', '127.0.0.1:0']);
  expect(before).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/ ok, 0 warnings, 0 failed\n$/) as string,
  });
  expect(readdirSync(store)).toEqual([]);
  await using receiver = await startReceiver(store);
  const scan = await isync(['doctor', 'scan', root, '--to', receiver.url, '--device', 'edge1', '--json']);
  const { checks, exitCode } = JSON.parse(scan.stdout) as Checks;
  expect([scan.code, exitCode]).toEqual([0, 0]);
  expect(checks.filter(({ level }) => level === 'fail')).toEqual([]);
  expect(checks.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'Node',
      'open files',
      'root',
      'marks',
      'inotify',
      'port',
      'clock',
      'token',
      'version',
      'free space',
    ]),
  );
  // No file was sent, marked or made.
  expect(readdirSync(root)).toEqual(['DC1']);
  expect(readdirSync(store)).toEqual(['.isync']);
});

it('doctor takes the settings of the command from its section, and ends with 1 when a check fails', async () => {
  const config = join(temporaryFolder(), 'isync.yaml');
  writeFileSync(config, `scan:\n  root: ${rootWithFile()}\n  to: /no/such/target\n`);
  const { code, stdout } = await isync(['doctor', 'scan', '--config', config]);
  expect(code).toBe(1);
  expect(stdout).toContain('fail  store: the target folder is not there (/no/such/target) [STORE_MISSING]\n');
  expect(stdout).toContain('      Make it with: mkdir -p /no/such/target\n');
});

it('doctor of a command that has a check of its own tells it in the same form', async () => {
  const folder = temporaryFolder();
  const pull = join(folder, 'pull.yaml');
  const nowhere = 'http://127.0.0.1:9';
  writeFileSync(
    pull,
    JSON.stringify({
      queue: 'q',
      sqsEndpoint: nowhere,
      s3Endpoint: nowhere,
      sync: { 'a/': join(folder, 'a') },
    }),
  );
  const env = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's', AWS_MAX_ATTEMPTS: '1' };
  const ofPull = await isync(['doctor', 'pull', '--config', pull], { env });
  expect(ofPull).toMatchObject({ code: 1, stdout: expect.stringMatching(/^fail {2}queue: /m) as string });

  const backup = join(folder, 'backup.yaml');
  writeFileSync(
    backup,
    JSON.stringify({ jobs: [{ name: 'app', sources: [folder], to: [join(folder, 'disk')] }] }),
  );
  const ofBackup = await isync(['doctor', 'backup', '--config', backup]);
  expect(ofBackup).toMatchObject({ code: 1, stdout: expect.stringMatching(/^fail {2}app: /m) as string });
});
