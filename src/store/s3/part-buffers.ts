import { IsyncError } from '../../model/isync-error.ts';

/** Time in ms after which a buffer that gets no bytes may go to an upload that waits. */
const IDLE_MS = 10_000;
/** How often we look for such a buffer while uploads wait, in ms. */
const LOOK_MS = 1000;

/** A buffer that one upload has. Release it in every case. */
export interface Lease {
  readonly bytes: Buffer;
  /** Notes that the buffer gets bytes right now. */
  touch(): void;
  /** Keeps the buffer from being taken away: it is on its way. */
  pin(): void;
  release(): void;
}

interface Waiting {
  readonly size: number;
  readonly goesOn: boolean;
  readonly revoked: (error: IsyncError) => void;
  resolve(lease: Lease): void;
}

interface Held {
  readonly revoked: (error: IsyncError) => void;
  touchedMs: number;
  release(): void;
}

/**
 * The memory for all parts of a store: at most `totalBytes`, used again and again. When none is left, uploads wait in
 * order of arrival, but those that have had a buffer before go first: what their senders send meanwhile holds up all else
 * on that link. An upload whose sender has gone quiet loses its buffer to one that waits. Otherwise a few slow devices,
 * each with a half full part, would hold up all others for ever.
 */
export class PartBuffers {
  readonly #totalBytes: number;
  readonly #idleMs: number;
  #usedBytes = 0;
  /** Buffers that no upload has. They do not count as used, and are dropped where other sizes need their room. */
  #free: Buffer[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #filling = new Set<Held>();
  #timer: NodeJS.Timeout | undefined;

  constructor(totalBytes: number, idleMs = IDLE_MS) {
    this.#totalBytes = totalBytes;
    this.#idleMs = idleMs;
  }

  /**
   * Resolves to a buffer of `size` bytes, at most `totalBytes`. `revoked` is called when it has been taken away: the upload
   * must not use or release it any more. `goesOn` says that the file has had a buffer before.
   */
  take(size: number, revoked: (error: IsyncError) => void, goesOn = false): Promise<Lease> {
    const { promise, resolve } = Promise.withResolvers<Lease>();
    const behind = goesOn ? this.#waiting.findIndex((other) => !other.goesOn) : -1;
    this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, { size, goesOn, revoked, resolve });
    this.#serve();
    return promise;
  }

  #serve(): void {
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined || this.#usedBytes + first.size > this.#totalBytes) break;
      this.#waiting.shift();
      first.resolve(this.#lease(first));
    }
    if (this.#waiting.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else this.#timer ??= setInterval(() => this.#revokeIdle(), Math.min(LOOK_MS, this.#idleMs)).unref();
  }

  #lease({ size, revoked }: Waiting): Lease {
    this.#usedBytes += size;
    const bytes = this.#buffer(size);
    let released = false;
    const held: Held = {
      revoked,
      touchedMs: performance.now(),
      release: () => {
        if (released) return;
        released = true;
        this.#filling.delete(held);
        this.#usedBytes -= size;
        this.#free.push(bytes);
        this.#serve();
      },
    };
    this.#filling.add(held);
    return {
      bytes,
      touch: () => {
        held.touchedMs = performance.now();
      },
      pin: () => void this.#filling.delete(held),
      release: () => held.release(),
    };
  }

  #buffer(size: number): Buffer {
    const index = this.#free.findIndex(({ length }) => length === size);
    const [found] = index < 0 ? [] : this.#free.splice(index, 1);
    if (found !== undefined) return found;
    // Free buffers may take only the room that used ones leave.
    let spare = this.#totalBytes - this.#usedBytes;
    this.#free = this.#free.filter(({ length }) => (spare -= length) >= 0);
    return Buffer.allocUnsafeSlow(size);
  }

  #revokeIdle(): void {
    const before = performance.now() - this.#idleMs;
    // In the order in which they were taken: any idle one will do.
    for (const held of this.#filling) {
      if (held.touchedMs > before) continue;
      const reason = 'its memory went to another file because no content came for a while';
      held.revoked(new IsyncError('BUSY', reason));
      held.release();
      return;
    }
  }
}
