import type { RetryPolicy } from '../../src/sender/retry.ts';
import { createWsTarget, type WsTargetOptions } from '../../src/sender/ws/ws-target.ts';
import { startReceiver, type Receiver } from '../../src/receiver/receiver.ts';
import type { Store } from '../../src/store/store.ts';
import { DEVICE, type TargetFixture } from '../suites/target.ts';
import { recordingStore } from './recording-store.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A receiver on loopback, at a free port unless told one. */
export function receive(store: Store, port = 0): Promise<Receiver> {
  return startReceiver({ store, listen: { host: '127.0.0.1', port }, log: silent });
}

export function send(url: string, retry: RetryPolicy, options: Partial<WsTargetOptions> = {}) {
  return createWsTarget({ url, device: DEVICE, mode: 'write', digest: 'xxh64', retry, ...options });
}

/** A sender that is connected to a receiver over `inner`; the store is closed at the end. */
export async function receiverFixture(
  inner: Store,
  retry: RetryPolicy,
  cleanUp: () => Promise<void> = async () => {},
): Promise<TargetFixture> {
  const store = recordingStore(inner);
  const receiver = await receive(store);
  const target = send(receiver.url, retry);
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
