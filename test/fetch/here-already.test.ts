import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { lacks } from '../../harness/tools.ts';
import { parseTrace, syncsOf } from '../store/system-calls.ts';
import { stage } from './fixture.ts';

it.for([true, false])(
  'what is here already is made durable, with its name, before it counts; the same mtime: %s',
  (preserveTimestamps, { skip }) => {
    if (lacks('strace')) skip('strace is not installed');
    const { source, back, base, at } = stage({ 'DC1/sub/a': 'a', 'DC1/b': 'b' });
    // As cp leaves them, which syncs nothing.
    cpSync(source, back, { recursive: true, preserveTimestamps });
    const trace = join(base, 'trace');
    const strace = ['-f', '--seccomp-bpf', '-y', '-e', 'trace=fsync', '-o', trace];
    const fetch = [CLI_NODE, CLI_MAIN, 'fetch', source, back, '--json'];
    const { stdout } = spawnSync('strace', [...strace, ...fetch], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] },
    });
    const summary: unknown = JSON.parse(stdout);
    expect(summary).toMatchObject({ files: 0, there: 2, problemCount: 0 });
    const calls = parseTrace(readFileSync(trace, 'utf8'));
    for (const path of ['DC1/sub/a', 'DC1/sub', 'DC1/b', 'DC1', ''])
      expect({ path, synced: syncsOf(calls, at(path).replace(/\/$/, '')).length > 0 }).toEqual({
        path,
        synced: true,
      });
  },
);
