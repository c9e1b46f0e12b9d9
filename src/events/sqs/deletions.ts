import type { Log } from '../../model/log.ts';
import { BatchCalls, type EntryFailure } from './batch-calls.ts';
import type { HeldMessage } from './held-message.ts';
import type { LinkLog } from './link-log.ts';
import { PER_CALL, type Queue } from './queue.ts';

/** The delivery is not known any more: the message comes again, with another handle. */
const FINAL = new Set(['ReceiptHandleIsInvalid', 'InvalidParameterValue']);

/** Deletions that do not fill a call wait so long for others, in ms: each call costs, and none of them is waited for. */
const GATHER_MS = 100;

export interface DeletionOptions {
  readonly queue: Queue;
  /** Of a request, in ms. */
  readonly limitMs: number;
  readonly link: LinkLog;
  readonly log: Log;
  /** Called when a deletion is confirmed or hopeless. */
  readonly onDeleted: (message: HeldMessage) => void;
  readonly signal: AbortSignal;
}

/** Deletes what is done, a batch at a time. A message that was delivered again meanwhile is deleted by its new handle, too. */
export class Deletions {
  readonly #calls: BatchCalls<HeldMessage, string>;
  readonly #options: DeletionOptions;

  constructor(options: DeletionOptions) {
    const { queue, link, limitMs, signal } = options;
    this.#options = options;
    this.#calls = new BatchCalls<HeldMessage, string>({
      perCall: PER_CALL,
      gatherMs: GATHER_MS,
      entryFor: ({ isOver, handle }) => (isOver ? undefined : handle),
      call: (handles) => queue.delete(handles, { signal, limitMs }),
      finalCodes: FINAL,
      settled: (message, handle, failure) => this.#settled(message, handle, failure),
      link,
      signal,
    });
  }

  add(message: HeldMessage): void {
    this.#calls.add(message);
  }

  #settled(message: HeldMessage, handle: string, failure: EntryFailure | undefined): void {
    if (message.isOver) return;
    if (message.handle !== handle) {
      this.#calls.add(message);
      return;
    }
    if (failure !== undefined)
      this.#options.log.warn('a message that is done could not be deleted; it comes again', {
        message: message.id,
        attempt: message.attempt,
        failure,
      });
    this.#options.onDeleted(message);
  }
}
