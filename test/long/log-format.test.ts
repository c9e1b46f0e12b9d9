import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { isync } from '../cli/isync-process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

/** The arguments of a scan of one closed directory with one file, into a folder. */
function scanOf(): string[] {
  const root = temporaryFolder();
  mkdirSync(join(root, 'DC1'));
  writeFileSync(join(root, 'DC1', 'a b.bin'), 'aaaa');
  writeFileSync(join(root, 'DC1', 'finished.parse'), '');
  return ['scan', root, '--to', temporaryFolder(), '--once', '--device', 'edge1'];
}

/** What a scan writes to a file that is its stderr. */
function logOf(args: readonly string[], streamOf: (file: number) => string | undefined): string {
  const path = join(temporaryFolder(), 'log');
  const file = openSync(path, 'w');
  try {
    const stream = streamOf(file);
    const { status } = spawnSync(CLI_NODE, [CLI_MAIN, ...args], {
      stdio: ['ignore', 'ignore', file],
      env: { PATH: process.env['PATH'], ...(stream !== undefined && { JOURNAL_STREAM: stream }) },
    });
    expect(status).toBe(0);
  } finally {
    closeSync(file);
  }
  return readFileSync(path, 'utf8');
}

const journal = (file: number): string => {
  const { dev, ino } = fstatSync(file);
  return `${dev}:${ino}`;
};

describe('the log', () => {
  it('is key=value with priorities where stderr leads to journald', () => {
    expect(logOf(scanOf(), journal)).toMatch(/^<6>directory sealed directory=DC1$/m);
    expect(logOf([...scanOf(), '-v'], journal)).toMatch(/^<7>transferred path="DC1\/a b\.bin" bytes=4$/m);
  });

  it('is JSON where JOURNAL_STREAM names another stream, where there is none, and where it is asked for', () => {
    for (const [args, stream] of [
      [[], () => '1:2'],
      [[], () => undefined],
      [['--log-format', 'json'], journal],
    ] as const)
      expect(logOf([...scanOf(), ...args], stream)).toMatch(
        /^\{"level":"info","time":"[^"]+","directory":"DC1","msg":"directory sealed"\}$/m,
      );
  });

  it('has a date where it is text for a file', () => {
    expect(logOf([...scanOf(), '--log-format', 'text'], () => undefined)).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z info {2}directory sealed directory=DC1$/m,
    );
  });
});

describe('-v and -q', () => {
  it('show more, and less', async () => {
    expect((await isync([...scanOf(), '-v'])).stderr).toContain('"level":"debug"');
    expect((await isync([...scanOf(), '-q'])).stderr).toBe('');
  });

  it.each([
    ['-v', '-q'],
    ['-q', '--log-level', 'info'],
  ])('%s beside %s is refused', async (...levels) => {
    const { code, stderr } = await isync([...scanOf(), ...levels]);
    expect(code).toBe(2);
    expect(stderr).toContain('is given, and another level as well; which is meant? [USAGE]');
  });
});
