import type { Reporter, TestCase, TestModule } from 'vitest/node';

/**
 * How often a test that failed is tried again: never, unless the environment says so. Of thousands of tests with real processes and disks
 * one may fail by the machine's doing; what needed a second try is told by name at the end, so that it is mended all the same.
 */
export const SECOND_TRIES = process.env['ISYNC_TEST_SECOND_TRY'] === '1' ? 1 : 0;

/** Tells at the end of a run which tests passed only on a second try, and how the first one failed. */
export default class SecondTries implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules)
      for (const test of module.children.allTests())
        if (test.diagnostic()?.flaky === true) console.log(lineOf(module, test));
  }
}

function lineOf({ relativeModuleId }: TestModule, test: TestCase): string {
  const [first] = test.result().errors ?? [];
  return `passed only on a second try: ${relativeModuleId} > ${test.fullName}: ${first?.message.split('\n', 1)[0] ?? 'no reason is told'}`;
}
