import { createStoreTarget } from '../../src/sender/store-target/store-target.ts';
import type { Store } from '../../src/store/store.ts';
import { DEVICE, type TargetFixture } from '../suites/target.ts';
import { recordingStore } from './recording-store.ts';

/** Fast enough for tests, patient enough for a busy machine. */
export const BRIEF = { giveUpAfterMs: 10_000, firstDelayMs: 5, longestDelayMs: 50 };

export function localFixture(inner: Store, cleanUp: () => Promise<void>): TargetFixture {
  const store = recordingStore(inner);
  const target = createStoreTarget(store, { device: DEVICE, digest: 'xxh64', retry: BRIEF });
  return {
    target,
    store,
    async [Symbol.asyncDispose]() {
      await target[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await cleanUp();
    },
  };
}
