import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { defineConfig } from 'vitest/config';
import { SECOND_TRIES } from './harness/second-tries.ts';

const ALL = globSync('test/long/**/*.test.ts', { cwd: import.meta.dirname });
/** They measure memory or delay, count what is sent twice, share work among processes, or keep all cores busy: one at a time. */
const ALONE = [
  'action-large',
  'active-backlog',
  'backup-memory',
  'coarse-clock',
  'copy-large',
  'heap-growth',
  'hostile-fuzz',
  'hostile-limits',
  'http-attack',
  'live-flood',
  'many-directories',
  'mirror-herd',
  'pull-latency',
  'pull-sizes',
  'pull-storm',
  'queue-amqp-workers',
  'queue-million',
  's3-crowded',
  's3-memory',
  'script-many',
  'slow-writer',
  'state-memory',
  'status-slow-reader',
  'watch-burst',
  'webhook-memory',
  'webhook-storm',
].map((name) => `test/long/${name}.test.ts`);
const missing = ALONE.filter((path) => !ALL.includes(path));
if (missing.length > 0) throw new Error(`no such test: ${missing.map((path) => basename(path)).join(', ')}`);

/** What takes minutes: the sizes that isync is made for. `npm run test:long` */
export default defineConfig({
  test: {
    reporters: ['default', './harness/second-tries.ts'],
    retry: SECOND_TRIES,
    globalSetup: ['s3', 'rabbit', 'cli', 'tools'].map((name) => `harness/${name}-setup.ts`),
    // A slow disk makes as many files durable in a minute as a fast one in a second.
    testTimeout: 600_000,
    expect: { poll: { timeout: 60_000 } },
    hookTimeout: 600_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'beside',
          include: ['test/long/**/*.test.ts'],
          exclude: ALONE,
          // They wait for servers, processes and disks most of their time.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: ALONE, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
