import { onTestFinished } from 'vitest';
import { startReceiver, type Receiver, type ReceiverOptions } from '../../src/receiver/receiver.ts';
import type { RetryPolicy } from '../../src/flow/retry.ts';
import type { Target } from '../../src/sender/target.ts';
import { createWsTarget } from '../../src/sender/ws/ws-target.ts';
import type { WsTargetOptions } from '../../src/sender/ws/ws-target-options.ts';
import type { Store } from '../../src/store/store.ts';
import { DEVICE, type TargetFixture } from '../suites/target.ts';
import { fakeReceiver, type FakeReceiver, type Script } from './fake-receiver.ts';
import { recordingStore } from './recording-store.ts';
import { RecordingLog } from '../recording-log.ts';

export const QUICK: RetryPolicy = { giveUpAfterMs: undefined, firstDelayMs: 2, longestDelayMs: 20 };
/** Its longest wait never ends within a test. */
export const PATIENT: RetryPolicy = {
  giveUpAfterMs: undefined,
  firstDelayMs: 2,
  longestDelayMs: 3_600_000,
};

/** Disposes of `resource` when the test has ended, last first. */
export function usingForTest<T extends Disposable | AsyncDisposable>(resource: T): T {
  onTestFinished(async () => {
    if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
    else resource[Symbol.dispose]();
  });
  return resource;
}

/** A receiver on loopback, at a free port unless told one. */
export function receive(store: Store, options: Partial<ReceiverOptions> = {}): Promise<Receiver> {
  return startReceiver({
    store,
    listen: { host: '127.0.0.1', port: 0 },
    log: new RecordingLog(),
    ...options,
  });
}

export function send(url: string, retry: RetryPolicy, options: Partial<WsTargetOptions> = {}): Target {
  return createWsTarget({ url, device: DEVICE, mode: 'write', digest: 'xxh64', retry, ...options });
}

/** A sender that is connected to a scripted receiver; both end with the test. */
export async function scripted(
  script: Script,
  retry: RetryPolicy = QUICK,
  options: Partial<WsTargetOptions> = {},
): Promise<{ receiver: FakeReceiver; target: Target }> {
  const receiver = usingForTest(await fakeReceiver(script));
  return { receiver, target: usingForTest(send(receiver.url, retry, options)) };
}

/** A sender that is connected to a receiver over `inner`; the store is closed at the end. */
export async function receiverFixture(
  inner: Store,
  retry: RetryPolicy,
  options: Partial<WsTargetOptions> = {},
  cleanUp: () => Promise<void> = async () => {},
): Promise<TargetFixture> {
  const store = recordingStore(inner);
  const receiver = await receive(store);
  const target = send(receiver.url, retry, options);
  return {
    target,
    store,
    async [Symbol.asyncDispose]() {
      await target[Symbol.asyncDispose]();
      await receiver[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await cleanUp();
    },
  };
}
