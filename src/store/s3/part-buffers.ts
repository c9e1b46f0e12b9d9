import { IsyncError } from '../../model/isync-error.ts';

/** How long a buffer that is being filled may get nothing, in ms, before an upload that waits may have it. */
const IDLE_MS = 10_000;
/** How often those that wait look for such a buffer, in ms. */
const LOOK_MS = 1000;

/** A buffer that one upload has. Give it back in every case. */
export interface Lease {
  readonly bytes: Buffer;
  /** It is being filled right now. */
  touch(): void;
  /** It is on its way: it can't be taken away any more. */
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
 * The memory of all parts of a store: at most `totalBytes`, used again and again. Who comes when there is none left
 * waits, first come first served; but whoever has begun a file goes before those that have not, because what its sender
 * sends meanwhile holds up all else on that link, also what would fill other buffers. An upload whose sender has gone quiet loses its buffer to one that waits: otherwise
 * a few slow devices, each with a part half full, would hold up all others for ever.
 */
export class PartBuffers {
  readonly #totalBytes: number;
  readonly #idleMs: number;
  #usedBytes = 0;
  /** Buffers of one size that nobody has; they count as used by nobody and are dropped for other sizes. */
  #free: Buffer[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #filling = new Set<Held>();
  #timer: NodeJS.Timeout | undefined;

  constructor(totalBytes: number, idleMs = IDLE_MS) {
    this.#totalBytes = totalBytes;
    this.#idleMs = idleMs;
  }

  /**
   * A buffer of `size` bytes, which must not be more than all there are. `revoked` is told when it has been taken away:
   * it must not be used or released any more. `goesOn`: the file has had a buffer before.
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
    // What is free must not add to what is used.
    let spare = this.#totalBytes - this.#usedBytes;
    this.#free = this.#free.filter(({ length }) => (spare -= length) >= 0);
    return Buffer.allocUnsafeSlow(size);
  }

  #revokeIdle(): void {
    const before = performance.now() - this.#idleMs;
    // In the order in which they were taken; the one that has waited longest is as good as any that idles.
    for (const held of this.#filling) {
      if (held.touchedMs > before) continue;
      const reason = 'its memory went to another file because no content came for a while';
      held.revoked(new IsyncError('BUSY', reason));
      held.release();
      return;
    }
  }
}
