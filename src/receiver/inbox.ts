import { isPacked } from '../protocol/codec.ts';

/** What packed messages may hold together in one turn of the event loop, in bytes: some milliseconds of work. */
const UNPACKED_PER_TURN = 4 * 1024 * 1024;

/** What unpacking costs beside its bytes, told in bytes: zlib begins anew for each message, however small, in some 15 µs. */
const UNPACKING_COST = 32 * 1024;

export interface InboxOptions {
  /** Takes one message; what it is may close the inbox. */
  take(message: Buffer): void;
  /** More is held for this session than should be. */
  full(): boolean;
  /** `waiting` may be another than before. */
  changed(): void;
}

/**
 * The messages of a session in their order. A few bytes of PACKED can become two MiB, so what one read of a socket brings
 * could fill the memory, or keep the event loop, before a pause of the socket shows: packed messages, and all behind
 * them, wait here while the session is full and when it had its share of this turn.
 */
export class Inbox {
  readonly #options: InboxOptions;
  /** What one or two reads of the socket brought, for it is paused while there is any. */
  #waiting: Buffer[] = [];
  #unpacked = 0;
  #nextTurn: NodeJS.Immediate | undefined;
  #closed = false;
  #taking = false;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  get waiting(): boolean {
    return this.#waiting.length > 0;
  }

  add(message: Buffer): void {
    if (this.#closed) return;
    this.#waiting.push(message);
    this.#options.changed();
  }

  /** So many bytes have come out of a packed message. */
  unpacked(bytes: number): void {
    this.#unpacked += bytes + UNPACKING_COST;
    this.#nextTurn ??= setImmediate(() => {
      this.#nextTurn = undefined;
      this.#unpacked = 0;
      this.#options.changed();
    });
  }

  /** Hands on what may be. */
  goOn(): void {
    if (this.#taking) return;
    this.#taking = true;
    for (let next = this.#waiting[0]; next !== undefined && this.#mayTake(next); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#options.take(next);
    }
    this.#taking = false;
  }

  /** Drops what waits, and takes no more. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
    clearImmediate(this.#nextTurn);
  }

  #mayTake(message: Buffer): boolean {
    return !isPacked(message) || (!this.#options.full() && this.#unpacked < UNPACKED_PER_TURN);
  }
}
