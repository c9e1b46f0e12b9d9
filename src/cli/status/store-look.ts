import { access, constants, statfs } from 'node:fs/promises';
import type { StoreAddress } from '../../config/target-address.ts';
import { errnoOf, toIsyncError } from '../../model/isync-error.ts';
import { alarmOf } from '../../observe/status/alarm-table.ts';
import type { RaisedAlarm } from '../../observe/status/alarms.ts';
import { formatBytes } from '../../observe/units.ts';
import type { Store } from '../../store/store.ts';

/** Part of a disk below which it is about to be full. */
const FILLING = 1 / 20;
/** A bucket is asked this often, in ms: each time is a request. */
const BUCKET_EVERY_MS = 30_000;
/** How long a store may take to answer, in ms. */
const ANSWER_MS = 10_000;

export interface Space {
  readonly freeBytes: number;
  readonly sizeBytes: number;
}

/** Looks from time to time how a store is: whether it can be written to, and the room it has. */
export class StoreLook {
  readonly #at: StoreAddress;
  readonly #store: Store;
  #space: Space | undefined;
  #fault: string | undefined;
  #askedMs = -Infinity;

  constructor(at: StoreAddress, store: Store) {
    this.#at = at;
    this.#store = store;
  }

  /** Undefined where it is not known: a bucket has no end. */
  get space(): Space | undefined {
    return this.#space;
  }

  /** Why nothing can be kept now, in words; undefined where it can, as far as a look tells. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Never rejects. */
  async look(): Promise<void> {
    try {
      if (this.#at.kind === 'folder') await this.#lookAtFolder(this.#at.path);
      else await this.#ask();
      this.#fault = undefined;
    } catch (thrown) {
      const code = errnoOf(thrown);
      const { message } = toIsyncError(thrown, 'STORE_FAILED');
      this.#fault = code === undefined ? message : `${message} [${code}]`;
    }
  }

  *alarms(): Generator<RaisedAlarm> {
    if (this.#fault !== undefined)
      yield alarmOf('STORE_FAILED', '', `the store can not be used: ${this.#fault}`);
    if (this.#space === undefined) return;
    const { freeBytes, sizeBytes } = this.#space;
    if (freeBytes < sizeBytes * FILLING)
      yield alarmOf(
        'STORE_FILLING',
        '',
        `${formatBytes(freeBytes)} of ${formatBytes(sizeBytes)} are free at the store`,
      );
  }

  async #lookAtFolder(path: string): Promise<void> {
    const { bavail, blocks, bsize } = await statfs(path);
    this.#space = { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
    await access(path, constants.W_OK | constants.X_OK);
    // Another store, or none, where a disk is not mounted any more.
    await this.#store.identity();
  }

  async #ask(): Promise<void> {
    const nowMs = performance.now();
    if (this.#fault === undefined && nowMs - this.#askedMs < BUCKET_EVERY_MS) return;
    this.#askedMs = nowMs;
    await this.#store.identity({ signal: AbortSignal.timeout(ANSWER_MS) });
  }
}
