import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { isync } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

let base: string;
beforeEach(() => {
  base = temporaryFolder();
  mkdirSync(join(base, 'real/inner'), { recursive: true });
  symlinkSync('real', join(base, 'link'));
});

/** Nothing answers where the queue should be: whatever is refused is refused before it is asked. */
async function pull(
  settings: object,
  { config = join(base, 'pull.yaml'), args = ['--once', '--resync'] } = {},
) {
  const sqsEndpoint = 'http://127.0.0.1:9';
  writeFileSync(config, JSON.stringify({ queue: 'q', sqsEndpoint, s3Endpoint: sqsEndpoint, ...settings }));
  return await isync(['pull', ...args, '--config', config], {
    env: { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's', AWS_MAX_ATTEMPTS: '1' },
  });
}

it.each([
  ['a mapped symlink leads to a folder with the state in it', 'link', 'real/inner'],
  ['… and the state is yet to be made', 'link', 'real/yet/state'],
  ['the state lies behind a symlink into a mapped folder', 'real', 'link/state'],
  ['a mapped folder lies in the state by its real path', 'real/inner', 'link'],
])('refuses to start where %s', async (_, folder, state) => {
  const { code, stderr } = await pull({ sync: { 'a/': folder }, state });
  expect(stderr).toContain(`the state ${join(base, state)} and the mapped folder must be apart`);
  expect(stderr).toContain('[CONFIG_INVALID]');
  expect(code).toBe(2);
  expect(existsSync(join(base, state, 'state.db'))).toBe(false);
  expect(readdirSync(join(base, 'real'))).toEqual(['inner']);
});

it('refuses to start where a mapped symlink leads to a folder with the config file in it', async () => {
  const file = join(base, 'real/inner/pull.yaml');
  const { code, stderr } = await pull(
    { sync: { 'a/': join(base, 'link') }, state: join(base, 'state') },
    { config: file },
  );
  expect(stderr).toContain(`the config file ${file} lies in the mapped folder`);
  expect(code).toBe(2);
  expect(existsSync(join(base, 'state'))).toBe(false);
});

it('refuses to start where the config file is a symlink into a mapped folder', async () => {
  symlinkSync('real/inner/pull.yaml', join(base, 'pull.yaml'));
  const { code, stderr } = await pull({ sync: { 'a/': 'real' } });
  expect(stderr).toContain(`the config file ${join(base, 'pull.yaml')} lies in the mapped folder`);
  expect(code).toBe(2);
});

it('refuses to start where a symlink in the state leads into a mapped folder', async () => {
  mkdirSync(join(base, 'state'));
  mkdirSync(join(base, 'real/parked'));
  symlinkSync('../real/parked', join(base, 'state/parked'));
  const { code, stderr } = await pull({ sync: { 'a/': 'real' }, state: 'state' });
  expect(stderr).toContain(`the state ${join(base, 'state')} and the mapped folder must be apart`);
  expect(code).toBe(2);
  expect(readdirSync(join(base, 'state'))).toEqual(['parked']);
});

it('says of a mapped symlink that leads nowhere that it does', async () => {
  symlinkSync('unmounted', join(base, 'dangling'));
  const { code, stderr } = await pull({ sync: { 'a/': 'dangling' }, state: 'state' });
  expect(stderr).toContain('a symlink is where a mapped folder is to be, and leads nowhere');
  expect(stderr).toContain(`[STORE_MISSING] ${join(base, 'dangling')}`);
  expect(code).toBe(5);
  expect(existsSync(join(base, 'unmounted'))).toBe(false);
});

it('leaves symlinks alone that lead elsewhere', async () => {
  const { code, stderr } = await pull({ sync: { 'a/': 'link' }, state: 'state' }, { args: ['--check'] });
  // The queue that nothing answers for is all that it finds.
  expect([code, stderr]).toEqual([1, '']);
});
