import { createHash } from 'node:crypto';
import type { IsyncError } from '../../model/isync-error.ts';
import { toIsyncError } from '../../model/isync-error.ts';
import type { S3Bucket, Request } from './bucket.ts';
import { formatState, MAX_STATE_BYTES, parseState, type UploadState } from './upload-state.ts';

/**
 * Keeps the state of an upload in the bucket up to date. One write at a time, each of the newest state: however fast
 * parts are handed over, a write costs no more than a small part of theirs, and the state lags by one write at most.
 */
export class StateKeeper {
  readonly #bucket: S3Bucket;
  readonly #key: string;
  readonly #path: string;
  readonly #state: () => UploadState;
  #stale = false;
  #running: Promise<void> | undefined;
  #failure: IsyncError | undefined;

  constructor(bucket: S3Bucket, key: string, state: () => UploadState) {
    this.#bucket = bucket;
    this.#key = key;
    this.#state = state;
    this.#path = state().path;
  }

  /** The state has changed. */
  changed(): void {
    this.#stale = true;
    this.#running ??= this.#run();
  }

  /**
   * Resolves when nothing is being written any more. It may have failed: the upload goes on all the same, only that a
   * killed process would have more to send again.
   */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Resolves when the newest state is kept, or rejects with why it is not. */
  async kept(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async remove(): Promise<void> {
    await this.idle();
    await this.#bucket.remove(this.#key, { path: this.#path });
  }

  async #run(): Promise<void> {
    while (this.#stale) {
      this.#stale = false;
      const bytes = formatState(this.#state());
      const md5 = createHash('md5').update(bytes).digest('base64');
      try {
        await this.#bucket.putOwn(this.#key, { bytes, md5 }, { path: this.#path });
        this.#failure = undefined;
      } catch (error) {
        this.#failure = toIsyncError(error, 'INTERNAL');
      }
    }
    this.#running = undefined;
  }
}

/** The state that is kept under `key`, or undefined where there is none that can be read. */
export async function readState(
  bucket: S3Bucket,
  key: string,
  request: Request,
): Promise<UploadState | undefined> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  const take = (piece: Uint8Array): void => {
    size += piece.length;
    if (size <= MAX_STATE_BYTES) pieces.push(piece);
  };
  return (await bucket.read(key, take, request)) ? parseState(Buffer.concat(pieces)) : undefined;
}
