import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // What takes minutes has a run of its own: vitest.long.config.ts.
    exclude: ['test/long/**'],
    globalSetup: ['test/services/s3-setup.ts'],
    // Real processes, sockets and disks: generous, so that a slow disk is no failure; nothing waits this long by plan.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores are the smallest machine this must be quick on.
    maxWorkers: 2,
  },
});
