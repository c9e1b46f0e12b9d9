import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { lacks } from '../../harness/tools.ts';
import { SMALL_BYTES } from '../../src/fetch/fetch-file.ts';
import type { Reader } from '../../src/store/reader.ts';
import { parseTrace, syncsOf } from '../store/system-calls.ts';
import { changed, stage } from './fixture.ts';

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

it('large files are compared by their bytes few at a time, each of which may hold megabytes', async () => {
  const large = randomBytes(SMALL_BYTES + 1);
  const kept = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`DC1/${n}`, large]));
  const { source, back, run } = stage(kept);
  // With an mtime of its own each.
  cpSync(source, back, { recursive: true });
  let running = 0;
  let most = 0;
  const counted = async function* (bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    most = Math.max(most, ++running);
    // All that may run at once do so meanwhile.
    await delay(20);
    yield* bytes;
    running--;
  };
  const counting = (reader: Reader): Reader =>
    changed(reader, {
      filesAtOnce: 100,
      read: async (path, options) => {
        const found = await reader.read(path, options);
        return found && options?.length === undefined ? { ...found, bytes: counted(found.bytes) } : found;
      },
    });
  expect(await run({ change: counting })).toMatchObject({ told: [], files: 0, there: 12 });
  expect(most).toBeLessThanOrEqual(4);
});
