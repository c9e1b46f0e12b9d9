import { type IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { RequestOptions } from '../../s3/requests.ts';
import type { OwnObjects } from './own-objects.ts';
import { formatState, MAX_STATE_BYTES, parseState, type UploadState } from './upload-state.ts';

/**
 * Keeps the state of an upload in the bucket up to date. It writes one state at a time, always the newest. So the kept
 * state lags by one write at most, and writes stay few however fast parts are handed over.
 */
export class StateKeeper {
  readonly #own: OwnObjects;
  readonly #key: string;
  readonly #path: string;
  readonly #state: () => UploadState;
  #stale = false;
  #running: Promise<void> | undefined;
  #failure: IsyncError | undefined;

  constructor(own: OwnObjects, key: string, state: () => UploadState) {
    this.#own = own;
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
   * Resolves when no write is under way. The last one may have failed: the upload goes on all the same, but after a kill
   * there would be more to send again.
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
    await this.#own.remove(this.#key, { path: this.#path });
  }

  async #run(): Promise<void> {
    while (this.#stale) {
      this.#stale = false;
      const bytes = formatState(this.#state());
      try {
        await this.#own.put(this.#key, bytes, 'application/json', { path: this.#path });
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
  own: OwnObjects,
  key: string,
  request: RequestOptions,
): Promise<UploadState | undefined> {
  const bytes = await own.read(key, MAX_STATE_BYTES, request);
  return bytes && parseState(bytes);
}
