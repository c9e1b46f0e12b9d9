import { IsyncError } from '../model/isync-error.ts';
import { MAX_INLINE_BYTES } from '../protocol/limits.ts';
import { AbortWatch } from '../flow/abort-watch.ts';
import { Fifo } from '../flow/fifo.ts';
import { FullGate } from '../flow/full-gate.ts';
import { Backoff, type RetryPolicy } from '../flow/retry.ts';
import type { PutOptions, Receipt, SourceFile } from './target.ts';

/** Most tries of one file whose digest the target does not confirm: more mismatches are no accident of the link. */
const MAX_DIGEST_TRIES = 3;

export type Size = 'small' | 'large';

/** One file on its way, over as many tries as it takes. */
export interface PutJob {
  readonly file: SourceFile;
  readonly live: boolean;
  readonly size: Size;
  /** To be called with each count of content bytes sent. */
  sent(bytes: number): void;
  /** The furthest offset that the target has answered for it. */
  resumedAt: number;
  /** Its id in the session that has sent it whole and awaits its answer; undefined before and after. */
  sentAs: number | undefined;
  /** It is durable at the target. */
  readonly kept: boolean;
  /** See SendQueue.put. */
  readonly receipt: Promise<Receipt>;
  /** The caller has its answer; work still under way for this file is in vain. */
  readonly settled: boolean;
}

/**
 * Queues the files for a target, live ones before the backlog, and retries those that were refused. A session (or the store
 * target) takes jobs out, and ends each of them by exactly one of `kept`, `failed` and `giveBack`. Small and large files
 * queue apart, so that neither kind holds up the other.
 */
export class SendQueue {
  /** Called when a job may have become ready to take. */
  onReady: () => void = () => {};
  readonly #onRetry: (error: IsyncError) => void;
  readonly #retry: RetryPolicy;
  readonly #queues = {
    live: { small: new Fifo<Job>(), large: new Fifo<Job>() },
    backlog: { small: new Fifo<Job>(), large: new Fifo<Job>() },
  };
  readonly #open = new Set<Job>();
  /** Jobs that were taken and have not been given back. */
  #taken = 0;
  readonly #aborts = new AbortWatch();
  readonly #closing = new AbortController();
  readonly #gate: FullGate<PutJob>;
  #closedBy: unknown;

  /** `onRetry` is told why a file has to wait and will go again; it must not throw. */
  constructor(retry: RetryPolicy, onRetry: (error: IsyncError) => void = () => {}) {
    this.#retry = retry;
    this.#onRetry = onRetry;
    const ready = () => this.onReady();
    const giveUp = () => this.rejectAll(targetFull(retry));
    this.#gate = new FullGate(retry, this.#closing.signal, ready, giveUp);
  }

  /** Jobs without an answer, those taken included. */
  get size(): number {
    return this.#open.size;
  }

  /** Whether no job is taken or may be taken: all of them wait for room at the target, or for another try. */
  get stalled(): boolean {
    return this.#taken === 0 && (!this.#gate.admits || !this.#hasReady);
  }

  /** Resolves when the file is durable at the target. Rejects where it can't be, or not as the target stands; or was cancelled. */
  put(file: SourceFile, options?: PutOptions): Promise<Receipt> {
    return this.add(file, options).receipt;
  }

  /** The same, for a caller that has to know how far the file has come. */
  add(file: SourceFile, { priority = 'backlog', signal, onSent }: PutOptions = {}): PutJob {
    const job = new Job(file, priority === 'live', onSent);
    this.#open.add(job);
    if (this.#closing.signal.aborted || signal?.aborted === true) {
      this.#reject(job, this.#closing.signal.aborted ? this.#closedBy : signal?.reason);
      return job;
    }
    if (signal !== undefined)
      job.unwatch = this.#aborts.watch(signal, () => this.#reject(job, signal.reason));
    this.#queueOf(job).push(job);
    this.onReady();
    return job;
  }

  /** The next job of one kind if its content is at most `mostBytes`. */
  take(live: boolean, size: Size, mostBytes = Infinity): PutJob | undefined {
    if (!this.#gate.admits) return undefined;
    const queue = this.#queues[live ? 'live' : 'backlog'][size];
    const job = isReady(queue) ? queue.peek() : undefined;
    if (job === undefined || job.file.entry.size > mostBytes) return undefined;
    queue.shift();
    this.#gate.admitted(job);
    this.#taken++;
    return job;
  }

  /** The file is durable at the target; `incarnation` says who confirmed it. */
  kept(taken: PutJob, digest: Buffer, incarnation: string): void {
    const job = own(taken);
    this.#taken--;
    this.#gate.kept();
    if (!this.#settle(job)) return;
    job.kept = true;
    job.resolve({ digest, sentBytes: job.sentBytes, incarnation });
  }

  /** This try came to nothing: the file could not be read, or the target refused it. */
  failed(taken: PutJob, error: IsyncError): void {
    const job = own(taken);
    this.#taken--;
    job.sentAs = undefined;
    if (error.code === 'STORE_FULL') this.#gate.refused(job);
    else this.#gate.returned(job);
    if (job.settled) return;
    if (error.code === 'DIGEST_MISMATCH') job.digestTries++;
    if (!mayTryAgain(error, job)) {
      this.#reject(job, error);
      return;
    }
    this.#onRetry(error);
    job.file.letGo();
    void this.#later(job, error);
  }

  /** Takes jobs back from a broken link: they go first on the next one, in this order. */
  giveBack(taken: readonly PutJob[]): void {
    const jobs = taken.map(own);
    this.#taken -= jobs.length;
    for (const job of jobs) {
      this.#gate.returned(job);
      job.sentAs = undefined;
      // The next link may be long in coming.
      job.file.letGo();
    }
    for (const queues of [this.#queues.live, this.#queues.backlog])
      for (const size of ['small', 'large'] as const)
        queues[size].unshift(
          jobs.filter((job) => !job.settled && job.size === size && queues === this.#side(job)),
        );
    this.onReady();
  }

  rejectAll(reason: unknown): void {
    for (const job of this.#open) this.#reject(job, reason);
  }

  /** Rejects everything, now and later, with `reason`. */
  close(reason: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#closedBy = reason;
    this.#closing.abort();
    this.rejectAll(reason);
  }

  async #later(job: Job, error: IsyncError): Promise<void> {
    job.backoff ??= new Backoff(this.#retry);
    let again: boolean;
    try {
      again = await job.backoff.wait({ signal: this.#closing.signal });
    } catch {
      return; // Closed: the job has been rejected with everything else.
    }
    if (job.settled) return;
    if (!again) {
      this.#reject(job, error.code === 'STORE_FULL' ? targetFull(this.#retry, error) : error);
      return;
    }
    this.#queueOf(job).push(job);
    this.onReady();
  }

  get #hasReady(): boolean {
    return [this.#queues.live, this.#queues.backlog].some(
      ({ small, large }) => isReady(small) || isReady(large),
    );
  }

  #reject(job: Job, reason: unknown): void {
    if (this.#settle(job)) job.reject(reason);
  }

  #settle(job: Job): boolean {
    if (job.settled) return false;
    job.settled = true;
    job.sentAs = undefined;
    job.unwatch?.();
    this.#open.delete(job);
    return true;
  }

  #side(job: Job) {
    return job.live ? this.#queues.live : this.#queues.backlog;
  }

  #queueOf(job: Job): Fifo<Job> {
    return this.#side(job)[job.size];
  }
}

class Job implements PutJob {
  readonly file: SourceFile;
  readonly live: boolean;
  readonly size: Size;
  sentBytes = 0;
  resumedAt = 0;
  sentAs: number | undefined;
  kept = false;
  settled = false;
  digestTries = 0;
  backoff: Backoff | undefined;
  unwatch: (() => void) | undefined;
  readonly receipt: Promise<Receipt>;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (reason: unknown) => void;

  readonly #onSent: ((bytes: number) => void) | undefined;

  constructor(file: SourceFile, live: boolean, onSent: ((bytes: number) => void) | undefined) {
    this.#onSent = onSent;
    const { promise, resolve, reject } = Promise.withResolvers<Receipt>();
    this.receipt = promise;
    this.resolve = resolve;
    this.reject = reject;
    this.file = file;
    this.live = live;
    this.size = file.entry.size <= MAX_INLINE_BYTES ? 'small' : 'large';
  }

  sent(bytes: number): void {
    this.sentBytes += bytes;
    this.#onSent?.(bytes);
  }
}

/** Ends the work on a job that is settled already. */
export class Forgotten extends Error {}

/** Whether somebody waits for one of `queue`; those settled at its front are dropped. */
function isReady(queue: Fifo<Job>): boolean {
  while (queue.peek()?.settled === true) queue.shift();
  return queue.peek() !== undefined;
}

/** @throws IsyncError INTERNAL for a job that was not taken from here */
function own(job: PutJob): Job {
  if (job instanceof Job) return job;
  throw new IsyncError('INTERNAL', 'a job of another queue', { path: job.file.entry.path });
}

/** A full target and a digest mismatch may pass, whatever the other side says of them. */
function mayTryAgain(error: IsyncError, job: Job): boolean {
  if (error.code === 'DIGEST_MISMATCH') return job.digestTries < MAX_DIGEST_TRIES;
  return error.retryable || error.code === 'STORE_FULL';
}

function targetFull({ giveUpAfterMs = 0 }: RetryPolicy, cause?: IsyncError): IsyncError {
  const message = `the target has been full for ${Math.round(giveUpAfterMs / 1000)} s`;
  const hint = 'Make room at the target, then run again.';
  return new IsyncError('STORE_FULL', message, { retryable: false, cause, hint });
}
