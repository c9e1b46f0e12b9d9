import { LRUCache } from 'lru-cache';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { firstSegment } from '../../model/rel-path.ts';
import type {
  BeginOptions,
  FileDigest,
  PublishOptions,
  PutOutcome,
  Store,
  Upload,
  WholeFile,
} from '../store.ts';
import type { Log } from '../../model/log.ts';
import { StoreDecorator } from './store-decorator.ts';

/** While files of a device are refused, a warning repeats after this long, in ms. */
const REPEAT_MS = 3600 * 1000;
/** Least time between two warnings, in ms, when the store is full and has room by turns. */
const MIN_REPEAT_MS = 60_000;
/** Devices that are remembered. Forgetting one only means an early warning. */
const MAX_DEVICES = 1024;

/**
 * `store` that logs when it refuses files of a device for want of room (STORE_FULL: the disk, `--min-free`, a quota): once,
 * then each hour with their count. It also logs the end of that, when it has kept a file as large as one that was refused.
 */
export function withStoreFullLog(
  store: Store,
  log: Log,
  onFull: StoreFullListener = () => undefined,
  now: () => number = () => performance.now(),
): Store {
  return new StoreFullLog(store, log, onFull, now);
}

/** Told of each file of `device` that is refused, with the reason, and once without when there is room again. */
export type StoreFullListener = (device: string, reason: string | undefined) => void;

interface Fullness {
  /** Size of the smallest refused file; undefined while there is room. */
  smallest: number | undefined;
  warnedMs: number;
  /** The log has the warning, so it is to have the end. */
  isWarned: boolean;
  suppressed: number;
}

class StoreFullLog extends StoreDecorator {
  readonly #log: Log;
  readonly #onFull: StoreFullListener;
  readonly #now: () => number;
  readonly #devices = new LRUCache<string, Fullness>({ max: MAX_DEVICES });

  constructor(store: Store, log: Log, onFull: StoreFullListener, now: () => number) {
    super(store);
    this.#log = log;
    this.#onFull = onFull;
    this.#now = now;
  }

  async put(file: FileEntry, bytes: Uint8Array, digest: FileDigest, options?: PublishOptions): Promise<void> {
    await this.#watched(file, this.store.put(file, bytes, digest, options));
    this.#kept(file);
  }

  override putMany<File extends WholeFile>(
    files: readonly File[],
    outcome: PutOutcome<File>,
    options?: PublishOptions,
  ): Promise<void> {
    const watched: PutOutcome<File> = {
      kept: (each) => {
        this.#kept(each.file);
        outcome.kept(each);
      },
      refused: (each, reason) => {
        this.#failed(each.file, reason);
        outcome.refused(each, reason);
      },
    };
    return this.store.putMany(files, watched, options);
  }

  async begin(file: FileEntry, options: BeginOptions): Promise<Upload> {
    const upload = await this.#watched(file, this.store.begin(file, options));
    const watched = <T>(step: Promise<T>): Promise<T> => this.#watched(file, step);
    return {
      get offset() {
        return upload.offset;
      },
      write: (...chunks) => watched(upload.write(...chunks)),
      commit: async (digest) => {
        await watched(upload.commit(digest));
        this.#kept(file);
      },
      abort: () => upload.abort(),
      suspend: () => upload.suspend(),
    };
  }

  async #watched<T>(file: FileEntry, step: Promise<T>): Promise<T> {
    try {
      return await step;
    } catch (error) {
      this.#failed(file, error);
      throw error;
    }
  }

  #failed(file: FileEntry, error: unknown): void {
    if (error instanceof IsyncError && error.code === 'STORE_FULL') this.#refused(file, error);
  }

  #refused({ path, size }: FileEntry, { code, message, hint }: IsyncError): void {
    const device = firstSegment(path);
    const nowMs = this.#now();
    const known = this.#devices.get(device);
    const full = known ?? { smallest: undefined, warnedMs: -Infinity, isWarned: false, suppressed: 0 };
    if (known === undefined) this.#devices.set(device, full);
    const waitMs = full.isWarned ? REPEAT_MS : MIN_REPEAT_MS;
    this.#onFull(device, message);
    full.smallest = Math.min(full.smallest ?? Infinity, size);
    if (nowMs - full.warnedMs < waitMs) {
      full.suppressed++;
      return;
    }
    this.#log.warn('no room for files of a device', {
      device,
      code,
      reason: message,
      bytes: size,
      hint,
      suppressed: full.suppressed,
    });
    Object.assign(full, { warnedMs: nowMs, isWarned: true, suppressed: 0 });
  }

  #kept({ path, size }: FileEntry): void {
    const device = firstSegment(path);
    const full = this.#devices.get(device);
    if (full?.smallest === undefined || size < full.smallest) return;
    if (full.isWarned)
      this.#log.info('there is room again for files of a device', { device, suppressed: full.suppressed });
    this.#onFull(device, undefined);
    Object.assign(full, { smallest: undefined, isWarned: false, suppressed: 0 });
  }
}
