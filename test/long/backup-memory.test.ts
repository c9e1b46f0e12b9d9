import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { followMemory } from '../../harness/backlog.ts';
import { build } from '../../harness/build.ts';
import { startCli } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { lacks } from '../../harness/tools.ts';

const FILES = Number(process.env['ISYNC_TEST_BACKUP_FILES'] ?? 40_000);
const FILES_IN_A_FOLDER = 1000;
/** The most that a run may hold, in bytes, however many files there are. */
const MAX_PEAK_BYTES = 300_000_000;
/** Of the test, in ms: a disk that takes 200 files a second. */
const PATIENCE_MS = Math.max(600_000, FILES * 10);

/** Small files, no two of which are the same. */
function fill(source: string): void {
  for (let at = 0; at < FILES; at++) {
    const folder = join(source, `d${Math.floor(at / FILES_IN_A_FOLDER)}`);
    if (at % FILES_IN_A_FOLDER === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `a-file-of-some-name-${at}.txt`), `content ${at}`);
  }
}

it.skipIf(lacks('rsync'))(
  `a backup of ${FILES} files is made, made again, verified and restored in 300 MB each`,
  async () => {
    await using folder = await temporaryFolder('backup-memory');
    const at = (...names: readonly string[]): string => join(folder.path, ...names);
    const main = await build(at('package'));
    mkdirSync(at('store'));
    fill(at('source'));
    const job = { name: 'app', sources: [at('source')], to: [at('store')], full: '7d' };
    writeFileSync(at('backup.yaml'), JSON.stringify({ jobs: [job] }));
    const peaks: Record<string, number> = {};
    const held = async (name: string, ...words: readonly string[]): Promise<void> => {
      const args = ['backup', ...words, '--config', at('backup.yaml'), '--log-level', 'warn'];
      await using cli = startCli(args, { main });
      using memory = followMemory(cli);
      const { exitCode, stderr } = await cli.ended;
      expect({ name, exitCode, stderr }).toEqual({ name, exitCode: 0, stderr: '' });
      peaks[name] = memory.peakBytes;
    };
    await held('full', 'run');
    await held('incremental', 'run');
    await held('verify', 'verify', '--deep');
    await held('restore', 'restore', 'latest', '--to', at('back'));
    const restored = join(at('back'), at('source'));
    expect(execFileSync('rsync', ['-anicH', '--delete', `${at('source')}/`, `${restored}/`]).toString()).toBe(
      '',
    );
    const told = Object.entries(peaks).map(([name, bytes]) => `${name} ${Math.round(bytes / 1e6)} MB`);
    console.log(`${FILES} files: ${told.join(', ')}`);
    for (const bytes of Object.values(peaks)) {
      expect(bytes).toBeGreaterThan(0);
      expect(bytes).toBeLessThan(MAX_PEAK_BYTES);
    }
  },
  PATIENCE_MS,
);
