import { encode } from '../protocol/codec.ts';
import type { ReceiverMessage } from '../protocol/messages.ts';
import type { HighWaterMark } from '../flow/high-water-mark.ts';

/** Hands bytes over to the link, which calls `flushed` once they left for the kernel or the link is gone. */
export type Send = (bytes: Buffer, flushed: () => void) => void;

/** What a session says. After `close` it says nothing more, and nobody waits for it. */
export class Replies {
  readonly #send: Send;
  readonly #unread: HighWaterMark;
  readonly #waiting = new Set<() => void>();
  #closed = false;

  /** @param unread counts the bytes that wait for the other side to read them */
  constructor(send: Send, unread: HighWaterMark) {
    this.#send = send;
    this.#unread = unread;
  }

  /** More is waiting for the other side to read than it should. */
  get full(): boolean {
    return this.#unread.full;
  }

  say(message: ReceiverMessage): void {
    if (this.#closed) return;
    const bytes = encode(message);
    this.#unread.add(bytes.length);
    this.#send(bytes, () => this.#unread.remove(bytes.length));
  }

  /** Resolves when the message has left, or never will. */
  async sayAndWait(message: ReceiverMessage): Promise<void> {
    if (this.#closed) return;
    const bytes = encode(message);
    this.#unread.add(bytes.length);
    await new Promise<void>((resolve) => {
      this.#waiting.add(resolve);
      this.#send(bytes, () => {
        this.#unread.remove(bytes.length);
        this.#waiting.delete(resolve);
        resolve();
      });
    });
  }

  close(): void {
    this.#closed = true;
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
