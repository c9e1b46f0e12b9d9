import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLI_MAIN } from '../../harness/cli.ts';
import { plainEnvironment } from '../../harness/process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

/** Takes nothing: every write to it fails with ENOSPC (full(4)). */
const FULL = '/dev/full';

function rootAndTarget(): string[] {
  const [root, target] = [temporaryFolder(), temporaryFolder()];
  mkdirSync(join(root, 'DC1'));
  writeFileSync(join(root, 'DC1', 'a'), 'a');
  return [root, '--to', target, '--device', 'edge1'];
}

/** Runs `isync` with one of its outputs going to {@link FULL}. */
async function withFull(output: 'stdout' | 'stderr', args: readonly string[]) {
  const full = openSync(FULL, 'w');
  const child = spawn(process.execPath, [CLI_MAIN, ...args], {
    env: plainEnvironment(),
    stdio: output === 'stdout' ? ['ignore', full, 'pipe'] : ['ignore', 'pipe', full],
  });
  closeSync(full);
  let text = '';
  (child.stdout ?? child.stderr)?.setEncoding('utf8').on('data', (some: string) => (text += some));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, text };
}

describe.runIf(existsSync(FULL))('a disk that is full', () => {
  it.each([
    ['--version', () => ['--version']],
    ['help', () => ['--help']],
    ['a summary', () => ['scan', ...rootAndTarget(), '--once', '--log-level', 'silent']],
    ['a summary as JSON', () => ['scan', ...rootAndTarget(), '--once', '--json', '--log-level', 'silent']],
    ['what verify finds', () => ['verify', ...rootAndTarget(), '--log-level', 'silent']],
    [
      'where a receiver listens',
      () => ['receive', temporaryFolder(), '--listen', '127.0.0.1:0', '--log-level', 'silent'],
    ],
  ])('below stdout, for %s, ends with 5 and a sentence', async (_, args) => {
    const { code, text } = await withFull('stdout', args());
    expect(text).toMatch(/^isync: stdout can't be written to: ENOSPC.* \[OUTPUT_FAILED\]\n {2}.*\n$/);
    expect(code).toBe(5);
  });

  it('below stderr costs the log, and not the work', async () => {
    const { code, text } = await withFull('stderr', [
      'scan',
      ...rootAndTarget(),
      '--once',
      '--log-level',
      'debug',
    ]);
    expect({ code, text }).toEqual({ code: 0, text: expect.stringContaining('1 file, ') });
  });
});

describe('a working folder that is gone', () => {
  it.each([['--help'], ['scan', 'root', '--to', '/tmp', '--once'], ['token', 'list', '--tokens', 'tokens']])(
    'is told in a sentence with its cure: %s %s',
    async (...args) => {
      const cwd = temporaryFolder();
      const gone = join(cwd, 'gone');
      mkdirSync(gone);
      // The shell is in there already when it goes away; Node starts after that.
      const shell = spawn(
        'sh',
        ['-c', 'rmdir "$PWD" && exec "$@"', 'sh', process.execPath, CLI_MAIN, ...args],
        {
          cwd: gone,
          env: plainEnvironment(),
          stdio: ['ignore', 'ignore', 'pipe'],
        },
      );
      let stderr = '';
      shell.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      expect(await once(shell, 'close')).toEqual([2, null]);
      expect(stderr).toMatch(
        /^isync: the folder in which isync was started is not there any more \[USAGE\]\n {2}.*cd.*\n$/,
      );
    },
  );
});
