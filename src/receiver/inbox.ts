import { Fifo } from '../flow/fifo.ts';
import { isKeepalive, isPacked } from '../protocol/codec.ts';

/** Bytes that may be unpacked in one turn of the event loop: some milliseconds of work. */
const UNPACKED_PER_TURN = 4 * 1024 * 1024;

/** Bytes that each message counts besides its content: zlib starts anew for each one, which takes some 15 µs. */
const UNPACKING_COST = 32 * 1024;

export interface InboxOptions {
  /** Handles one message, which may close the inbox. */
  take(message: Buffer): void;
  /** Whether the session holds more than it should. */
  full(): boolean;
  /** Called when `waiting` may have changed, or messages may go on. */
  changed(): void;
}

/**
 * Queues the messages of a session, in order. A few bytes of PACKED can become 2 MiB, so the messages of a single read
 * could fill the memory or block the event loop before pausing the socket helps. A packed message, and all behind it,
 * waits here while the session is full and once it has used its share of this turn.
 */
export class Inbox {
  readonly #options: InboxOptions;
  /** At most what two reads brought: the socket is paused while a message waits. */
  #waiting = new Fifo<Buffer>();
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
    // It has said all by coming, and a read could hold 75,000 of them.
    if (this.waiting && isKeepalive(message)) return;
    this.#waiting.push(message);
    this.#options.changed();
  }

  /** To be called with the size of each message that is unpacked. */
  unpacked(bytes: number): void {
    this.#unpacked += bytes + UNPACKING_COST;
    this.#nextTurn ??= setImmediate(() => {
      this.#nextTurn = undefined;
      this.#unpacked = 0;
      this.#options.changed();
    });
  }

  /** Hands on each message that may go. */
  drain(): void {
    if (this.#taking) return;
    this.#taking = true;
    for (
      let next = this.#waiting.peek();
      next !== undefined && this.#mayTake(next);
      next = this.#waiting.peek()
    ) {
      this.#waiting.shift();
      this.#options.take(next);
    }
    this.#taking = false;
  }

  /** Drops waiting messages, and takes no more. */
  close(): void {
    this.#closed = true;
    this.#waiting = new Fifo();
    clearImmediate(this.#nextTurn);
  }

  #mayTake(message: Buffer): boolean {
    return !isPacked(message) || (!this.#options.full() && this.#unpacked < UNPACKED_PER_TURN);
  }
}
