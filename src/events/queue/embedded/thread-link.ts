import { Worker } from 'node:worker_threads';
import { IsyncError } from '../../../model/isync-error.ts';
import type { Answer, Answers, Asked, Call, Command, ThreadOptions, Told } from './commands.ts';
import { errorFrom } from '../../../model/told-error.ts';

/** Published and not durable yet, at most, in UTF-16 code units: beyond, the disk is behind. */
const MAX_PENDING_SIZE = 64 * 1024 * 1024;
/** Calls of one message to the thread, at most: it has what they ask for under way while more are gathered. */
const CALLS_AT_ONCE = 16;
/** Heap of the thread, in MiB: several times what its bounds come to. Beyond, it ends and not the process. */
const HEAP_MIB = 512;
/** Objects that live for one transaction are collected within so much, in MiB. */
const YOUNG_MIB = 2;

interface Waiting {
  readonly resolve: (value: Answers[keyof Answers]) => void;
  readonly reject: (error: IsyncError) => void;
  readonly size: number;
}

/** Calls to the thread that has the file, and their answers. */
export class ThreadLink {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #lost = Promise.withResolvers<IsyncError>();
  /** To be sent together, because a message costs as much as a publish. */
  #outbox: Call[] = [];
  #sending: NodeJS.Immediate | undefined;
  #calls = 0;
  #pendingSize = 0;
  #isClosing = false;
  /** Why nothing can be asked for any more. */
  #end: IsyncError | undefined;

  private constructor(options: ThreadOptions) {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./queue-thread.${extension}`, import.meta.url), {
      workerData: options,
      // Those of the process may be for its main thread alone.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    this.#worker.on('message', (told: Told) => this.#told(told));
    this.#worker.on('error', (error) =>
      this.#over(new IsyncError('INTERNAL', 'the thread of the queue has failed', { cause: error })),
    );
    this.#worker.on('exit', () => {
      this.#over(new IsyncError('INTERNAL', 'the thread of the queue has ended'));
      this.#ended.resolve();
    });
  }

  /** @throws IsyncError FENCED, BUSY, STORE_FULL, STORE_FAILED, STORE_MISSING */
  static async open(options: ThreadOptions): Promise<ThreadLink> {
    const link = new ThreadLink(options);
    try {
      await link.#opened.promise;
    } catch (error) {
      await link.#ended.promise;
      throw error;
    }
    return link;
  }

  /** Resolves with why, once the thread has ended though nobody has closed it. */
  get lost(): Promise<IsyncError> {
    return this.#lost.promise;
  }

  /** Rejects with what the command fails with, BUSY (retryable), or INTERNAL once the thread has ended. */
  call<C extends Command>(command: C): Promise<Answers[C['do']]>;
  call(command: Command): Promise<Answers[keyof Answers]> {
    const size = sizeOf(command);
    if (this.#end !== undefined) return Promise.reject(this.#end);
    if (size > 0 && this.#pendingSize > 0 && this.#pendingSize + size > MAX_PENDING_SIZE)
      return Promise.reject(new IsyncError('BUSY', 'the disk of the queue is behind'));
    const { promise, resolve, reject } = Promise.withResolvers<Answers[keyof Answers]>();
    const call = (this.#calls += 1);
    const isIdle = this.#waiting.size === 0;
    this.#waiting.set(call, { resolve, reject, size });
    this.#pendingSize += size;
    this.#outbox.push({ call, command });
    if (isIdle || this.#outbox.length >= CALLS_AT_ONCE) this.#send();
    else this.#sending ??= setImmediate(() => this.#send());
    return promise;
  }

  /** Resolves when all that was asked for is answered and the file is closed. */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#end === undefined) {
      this.#send();
      this.#post('close');
    }
    await this.#ended.promise;
  }

  #send(): void {
    clearImmediate(this.#sending);
    this.#sending = undefined;
    if (this.#outbox.length === 0) return;
    this.#post(this.#outbox);
    this.#outbox = [];
  }

  #post(asked: Asked): void {
    this.#worker.postMessage(asked, []);
  }

  #told(told: Told): void {
    if ('opened' in told) this.#opened.resolve();
    else if ('failed' in told) this.#over(errorFrom(told.failed));
    else for (const answer of told.answers) this.#answered(answer);
  }

  #answered(answer: Answer): void {
    const waiting = this.#waiting.get(answer.call);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.call);
    this.#pendingSize -= waiting.size;
    if ('error' in answer) waiting.reject(errorFrom(answer.error));
    else waiting.resolve(answer.value);
  }

  #over(error: IsyncError): void {
    this.#end ??= error;
    if (!this.#isClosing) this.#lost.resolve(this.#end);
    this.#opened.reject(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function sizeOf(command: Command): number {
  if (command.do !== 'publish') return 0;
  return command.messages.reduce((size, { body }) => size + body.length, 0);
}
