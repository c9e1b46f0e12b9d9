import { globSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { SECOND_TRIES } from './harness/second-tries.ts';

/** A file that replaces modules needs a worker of its own; all others share theirs, which saves a start for each. */
const MOCKING = globSync('test/**/*.test.ts', { cwd: import.meta.dirname }).filter((path) =>
  readFileSync(path, 'utf8').includes('vi.mock('),
);
/** What takes minutes has a run of its own: vitest.long.config.ts. */
const LONG = 'test/long/**';
/** What starts processes and waits for them comes first, and what takes longest, so that no long test is left for the end. */
const FIRST = [
  '/test/e2e/',
  '/test/cli/',
  '/test/sender/',
  '/test/watcher/',
  '/test/mirror/',
  '/test/store/',
  '/s3/',
];

const SETUPS = ['s3', 'cli', 'tools'].map((name) => `harness/${name}-setup.ts`);

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => rank(a) - rank(b) || a.moduleId.localeCompare(b.moduleId));
  }
}

export default defineConfig({
  test: {
    reporters: ['default', './harness/second-tries.ts'],
    retry: SECOND_TRIES,
    globalSetup: SETUPS,
    // Real processes, sockets and disks: generous, so that a slow disk is no failure; nothing waits this long by plan.
    testTimeout: 240_000,
    expect: { poll: { timeout: 60_000 } },
    hookTimeout: 240_000,
    // Two cores are the smallest machine this must be quick on. Most tests wait for processes and disks half of their time.
    maxWorkers: 7,
    // Of one file at a time: each of these starts several processes.
    maxConcurrency: 4,
    sequence: { sequencer: SlowFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'shared',
          include: ['test/**/*.test.ts'],
          exclude: [LONG, ...MOCKING],
          isolate: false,
          restoreMocks: true,
        },
      },
      { extends: true, test: { name: 'mocking', include: MOCKING } },
    ],
  },
});

function rank({ moduleId }: TestSpecification): number {
  const found = FIRST.findIndex((part) => moduleId.includes(part));
  return found === -1 ? FIRST.length : found;
}
