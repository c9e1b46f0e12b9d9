import type { Abortable } from '../../model/abortable.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { maxDeliveriesOf } from './redrive-policy.ts';
import { Queue } from './queue.ts';
import type { SqsOptions } from './sqs-options.ts';

/** Connections for a handful of requests, one after the other. */
const CONNECTIONS = 1;
/** Of each request, in ms: somebody waits for it. */
const LIMIT_MS = 10_000;
/** Belongs to no message: who may delete is told so, who may not is refused before. */
const NO_HANDLE = 'isync-check';

/** What a queue says of itself, once every right that a pull needs was tried. */
export interface CheckedQueue {
  readonly where: string;
  readonly visibilitySeconds: number;
  readonly isFifo: boolean;
  readonly maxDeliveries: number | undefined;
  /** Whether a message was received for it; not where that alone would send it to the dead letters. */
  readonly hasReceived: boolean;
}

/**
 * Tries what a pull does with its queue. No request but a receive tells whether one may receive, so one message is received where one
 * waits: it is visible to others all the time, and counts as delivered once more.
 * @throws IsyncError of the first right that is missing, or of what is wrong with the queue
 */
export async function checkQueue(options: SqsOptions, { signal }: Abortable = {}): Promise<CheckedQueue> {
  using queue = new Queue(options, CONNECTIONS);
  const { visibilitySeconds, isFifo, waiting, redrivePolicy } = await queue.open({ signal });
  const maxDeliveries = maxDeliveriesOf(redrivePolicy);
  const hasReceived = maxDeliveries !== 1 || waiting === 0;
  if (hasReceived) await queue.receive(0, 0, signal ?? new AbortController().signal, 1);
  await allowed(() =>
    queue.changeVisibility([{ handle: NO_HANDLE, seconds: 0 }], { signal, limitMs: LIMIT_MS }),
  );
  await allowed(() => queue.delete([NO_HANDLE], { signal, limitMs: LIMIT_MS }));
  return { where: queue.where, visibilitySeconds, isFifo, maxDeliveries, hasReceived };
}

/** That the handle is wrong is no fault, however the queue says so. */
async function allowed(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof IsyncError)) throw error;
    if (error.code === 'STORE_REFUSED' || error.retryable) throw error;
  }
}
