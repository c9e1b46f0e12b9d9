import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isync } from './isync-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A root with one closed directory of one file. */
function rootWithFile(): string {
  const root = temporaryFolder();
  mkdirSync(join(root, 'DC1'));
  writeFileSync(join(root, 'DC1/a.bin'), 'aaaa');
  writeFileSync(join(root, 'DC1/finished.parse'), '');
  return root;
}

/** A line of a stack. */
const STACK = /^\s+at /m;

describe('a mistake is told with its cure:', () => {
  it('a token file in a folder that is not there', async () => {
    const folder = join(temporaryFolder(), 'missing/folder');
    const { code, stdout, stderr } = await isync([
      'token',
      'add',
      'edge1',
      '--tokens',
      join(folder, 't.json'),
    ]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toMatch(STACK);
    expect(stderr).toContain(`the folder ${folder} is not there [CONFIG_INVALID]`);
    expect(stderr).toContain(`Make it with: mkdir -p ${folder}`);
    expect(stderr).not.toContain('ENOENT');
  });

  it.each([
    ['host:7400', 'did you mean ws://host:7400 or wss://host:7400?'],
    ['backup.example', 'did you mean ws://backup.example:7400 or wss://backup.example:7400?'],
  ])('--to %s without a scheme', async (to, told) => {
    const { code, stderr } = await isync(['scan', rootWithFile(), '--to', to, '--once']);
    expect(code).toBe(2);
    expect(stderr).not.toMatch(STACK);
    expect(stderr).toContain(told);
  });

  it('but a folder of such a name is taken', async () => {
    const parent = temporaryFolder();
    mkdirSync(join(parent, 'backup.example'));
    const args = ['scan', rootWithFile(), '--to', 'backup.example', '--device', 'edge1', '--once'];
    expect(await isync(args, { cwd: parent })).toMatchObject({ code: 0 });
    expect(existsSync(join(parent, 'backup.example/edge1/DC1/a.bin'))).toBe(true);
  });

  it('an unquoted "*" in the config file', async () => {
    const file = join(temporaryFolder(), 'isync.yaml');
    writeFileSync(file, 'scan:\n  once: true\n  ignore: *.log\n');
    const { code, stderr } = await isync([
      'scan',
      rootWithFile(),
      '--to',
      temporaryFolder(),
      '--config',
      file,
    ]);
    expect(code).toBe(2);
    expect(stderr).not.toMatch(STACK);
    expect(stderr).toContain(`write "*.log" with the quotes (${file}, line 3) [CONFIG_INVALID]`);
  });
});

describe('words instead of flags', () => {
  it('print help and version', async () => {
    expect(await isync(['help', 'scan'])).toEqual(await isync(['scan', '--help']));
    expect(await isync(['help'])).toEqual(await isync(['--help']));
    expect(await isync(['version'])).toEqual(await isync(['--version']));
    expect(await isync(['help', 'xyzzy'])).toMatchObject({ code: 2, stdout: '' });
  });
});
