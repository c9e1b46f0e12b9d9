import { defineConfig } from 'vitest/config';

/** What takes minutes: the sizes that isync is made for. `npm run test:long` */
export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts'],
    globalSetup: ['s3', 'rabbit', 'cli', 'tools'].map((name) => `harness/${name}-setup.ts`),
    // A slow disk makes as many files durable in a minute as a fast one in a second.
    testTimeout: 600_000,
    expect: { poll: { timeout: 60_000 } },
    hookTimeout: 600_000,
    // One at a time: they measure memory, and each keeps all cores busy.
    fileParallelism: false,
  },
});
