import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { errorText } from '../../src/cli/output.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { isync } from './isync-process.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** A bundle does not tell what is loaded. */
const asSources = {
  env: { NODE_DEBUG: 'esm' },
  main: fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url)),
};

describe('isync', () => {
  it('tells its version, whichever way it is asked', async () => {
    expect(await isync(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    expect(await isync(['scan', '--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('tells its version without loading what the commands need', async () => {
    const { stderr } = await isync(['--version'], asSources);
    for (const name of ['ws', 'chokidar', 'zod', 'yargs'])
      expect(stderr).not.toContain(`node_modules/${name}/`);
  });

  it.each([
    // More than its help loads.
    [
      'a scan to a receiver',
      ['scan', '/nowhere', '--to', 'ws://127.0.0.1:1', '--once', '--retry-for', '0.1'],
    ],
    ['a wrong command line', ['scan', '/nowhere', '--to', 's3://Bucket']],
  ])('loads for %s no SDK of an object store, and no parser of what is not there', async (_, args) => {
    const { stderr } = await isync(args, asSources);
    expect(stderr).toContain('node_modules/zod/');
    for (const name of ['@aws-sdk', '@smithy', 'hash-wasm', 'yargs', 'yaml'])
      expect(stderr).not.toContain(`node_modules/${name}/`);
  });

  it('prints help on stdout', async () => {
    const { code, stdout, stderr } = await isync(['--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Exit codes:');
  });

  it('answers a mistake with one message on stderr, exit code 2 and no stack', async () => {
    expect(await isync(['scan', '--setle', '1'])).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'isync: unknown option --setle, did you mean --settle? [USAGE]\n  "isync scan --help" tells more.\n',
    });
  });

  it('tells a mistake on stdout too with --json', async () => {
    const { code, stdout } = await isync(['scan', '/datas', '--json', '--setle', '1']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } });
  });
});

describe('the text of an error', () => {
  it('has message, code, path and hint, and nothing a terminal obeys', () => {
    const error = new IsyncError('ROOT_MISSING', 'the root is not there', {
      path: '/a\u001b[2J',
      hint: 'Make it.',
    });
    expect(errorText(error)).toBe('isync: the root is not there [ROOT_MISSING] /a\\x1b[2J\n  Make it.\n');
  });

  it('tells a path once, and keeps a list of faults on its lines', () => {
    const error = new IsyncError('CONFIG_INVALID', '2 settings of /f are wrong:\n  a\n  b', { path: '/f' });
    expect(errorText(error)).toBe('isync: 2 settings of /f are wrong: [CONFIG_INVALID]\n  a\n  b\n');
  });
});
