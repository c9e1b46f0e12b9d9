import { addAbortListener } from 'node:events';
import { Worker } from 'node:worker_threads';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { errorFrom, toldError } from '../../model/told-error.ts';
import type { Packed } from '../pack/pack.ts';
import { type Asked, SLOT_BYTES, SLOTS, type ThreadWork, type Told } from './messages.ts';
import type { PackHooks, PackOrder } from './pack-order.ts';

/** Objects of the thread that die young are collected within so much, in MiB. */
const YOUNG_MIB = 4;

/**
 * Packs in a thread of its own: what it reads and compresses is soon dead, and in a heap with little else that costs little to collect; and
 * the two share the work where there are processors. The same bytes, and the same errors, as of packHere().
 */
export async function packApart(order: PackOrder, hooks: PackHooks): Promise<Packed> {
  const { signal } = hooks;
  signal.throwIfAborted();
  const thread = new PackThread(order, hooks);
  using _ = addAbortListener(signal, () => thread.abort(signal.reason));
  return await thread.ended;
}

class PackThread {
  /** Settles once the thread has ended. */
  readonly ended: Promise<Packed>;
  readonly #hooks: PackHooks;
  readonly #slots: readonly Uint8Array[];
  readonly #worker: Worker;
  /** Of the pieces before, in their order. */
  #written = Promise.resolve();
  #packed: Packed | undefined;
  /** What it ends with; the first counts. */
  #failure: { readonly error: unknown } | undefined;

  constructor(order: PackOrder, hooks: PackHooks) {
    this.#hooks = hooks;
    this.#slots = Array.from({ length: SLOTS }, () => new Uint8Array(new SharedArrayBuffer(SLOT_BYTES)));
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const work: ThreadWork = { order, slots: this.#slots };
    this.#worker = new Worker(new URL(`./pack-thread.${extension}`, import.meta.url), {
      workerData: work,
      // Those of the process may be for its main thread alone.
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    this.#worker.on('message', (told: Told) => this.#told(told));
    this.#worker.on('error', (cause) => {
      this.#failure ??= { error: new IsyncError('INTERNAL', 'the thread that packs has failed', { cause }) };
    });
    this.ended = new Promise((resolve, reject) => {
      this.#worker.once('exit', () => {
        if (this.#packed !== undefined && this.#failure === undefined) resolve(this.#packed);
        else reject(this.#failure?.error ?? new IsyncError('INTERNAL', 'the thread that packs has ended'));
      });
    });
  }

  /** It ends with `reason`, once it has closed what it has open. */
  abort(reason: unknown): void {
    this.#failure ??= { error: reason };
    this.#ask({ aborted: toldError(reason) });
  }

  #told(told: Told): void {
    const { log, onProgress } = this.#hooks;
    if ('piece' in told) this.#written = this.#written.then(() => this.#write(told.piece));
    else if ('progress' in told) onProgress?.(told.progress);
    else if ('packed' in told) this.#packed = told.packed;
    else if ('failed' in told) this.#failure ??= { error: errorFrom(told.failed) };
    else {
      const { severity, message, fields, err } = told.line;
      log[severity](message, err === undefined ? fields : { ...fields, err: errorFrom(err) });
    }
  }

  /** Never rejects. */
  async #write({ slot, length }: Extract<Told, { piece: unknown }>['piece']): Promise<void> {
    if (this.#failure !== undefined) return;
    try {
      const memory = this.#slots[slot];
      if (memory === undefined) throw new TypeError(`there is no slot ${slot}`);
      await this.#hooks.sink.write(memory.subarray(0, length));
      this.#ask({ taken: slot });
    } catch (error) {
      this.#failure ??= { error };
      this.#ask({ refused: toldError(toIsyncError(error, 'INTERNAL')) });
    }
  }

  #ask(asked: Asked): void {
    this.#worker.postMessage(asked, []);
  }
}
