import { toIsyncError } from '../model/isync-error.ts';
import type { Upload } from '../store/store.ts';
import { protocolViolation } from './protocol-violation.ts';
import type { HighWaterMark } from '../flow/high-water-mark.ts';
import { MESSAGE_COST } from './receiver-limits.ts';

export interface UploadOptions {
  /** Bytes of the whole file. */
  readonly size: number;
  readonly resume: boolean;
  begin(): Promise<Upload>;
  /** Counts the bytes that have arrived and are not written yet. */
  readonly pending: HighWaterMark;
  /** Called once, for a resume only, with how many bytes the store has already. */
  offset(offset: number): void;
  /** Called at most once, after the store has released the upload, and never after `cancel`. */
  refused(error: unknown): void;
  /** Called when the store failed to release the upload; nothing depends on that. */
  stuck(error: unknown): void;
}

/** An upload of a session, from OPEN on. Rules are checked at once; steps at the store run in order. */
export class IncomingUpload {
  readonly #options: UploadOptions;
  #upload: Upload | undefined;
  /** Where the next chunk must begin; undefined until OFFSET was sent. */
  #next: number | undefined;
  /** Chunks that came while the store was writing, for its next write. */
  #waiting: Buffer[] = [];
  #tail: Promise<void>;
  #failed = false;
  #cancelled = false;
  #answered = false;

  constructor(options: UploadOptions) {
    this.#options = options;
    this.#next = options.resume ? undefined : 0;
    this.#tail = this.#begin();
  }

  /** REFUSED has been sent. */
  get answered(): boolean {
    return this.#answered;
  }

  /** @throws IsyncError PROTOCOL, having touched nothing */
  chunk(offset: number, content: Buffer): void {
    if (this.#failed) return;
    if (this.#next === undefined) throw protocolViolation('CHUNK before OFFSET');
    if (offset !== this.#next) throw protocolViolation(`CHUNK at ${offset} where ${this.#next} is next`);
    if (offset + content.length > this.#options.size)
      throw protocolViolation('more content than OPEN announced');
    this.#next += content.length;
    this.#options.pending.add(content.length + MESSAGE_COST);
    this.#waiting.push(content);
    if (this.#waiting.length === 1) this.#tail = this.#tail.then(() => this.#writeWaiting());
  }

  /** @throws IsyncError PROTOCOL unless END may come now */
  checkComplete(): void {
    if (this.#failed) return;
    if (this.#next === undefined) throw protocolViolation('END before OFFSET');
    if (this.#next !== this.#options.size)
      throw protocolViolation(`END after ${this.#next} of ${this.#options.size} bytes`);
  }

  /** Publishes what has arrived. Resolves with false when it was refused; `refused` was called then. */
  async commit(digest: Buffer): Promise<boolean> {
    await this.#tail;
    await this.#step((upload) => upload.commit(digest));
    return !this.#failed;
  }

  /** Ends the upload without an answer, once everything that arrived is written. */
  async cancel(keep: boolean): Promise<void> {
    this.#cancelled = true;
    await this.#tail;
    await this.#release(keep);
  }

  async #begin(): Promise<void> {
    try {
      this.#upload = await this.#options.begin();
    } catch (error) {
      await this.#fail(error);
      return;
    }
    if (!this.#options.resume || this.#cancelled) return;
    this.#next = this.#upload.offset;
    this.#options.offset(this.#next);
  }

  async #writeWaiting(): Promise<void> {
    const chunks = this.#waiting;
    this.#waiting = [];
    await this.#step((upload) => upload.write(...chunks));
    this.#options.pending.remove(chunks.reduce((sum, { length }) => sum + length + MESSAGE_COST, 0));
  }

  async #step(step: (upload: Upload) => Promise<void>): Promise<void> {
    if (this.#failed || this.#upload === undefined) return;
    try {
      await step(this.#upload);
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #fail(error: unknown): Promise<void> {
    this.#failed = true;
    await this.#release(toIsyncError(error, 'INTERNAL').retryable);
    if (this.#cancelled) return;
    this.#answered = true;
    this.#options.refused(error);
  }

  async #release(keep: boolean): Promise<void> {
    try {
      await (keep ? this.#upload?.suspend() : this.#upload?.abort());
    } catch (error) {
      this.#options.stuck(error);
    }
  }
}
