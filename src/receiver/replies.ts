import { encode } from '../protocol/codec.ts';
import type { ReceiverMessage } from '../protocol/messages.ts';
import type { HighWaterMark } from '../flow/high-water-mark.ts';

/** Hands bytes to the link, which calls `flushed` when the kernel has taken them or the link is gone. */
export type Send = (bytes: Buffer, flushed: () => void) => void;

/** Sends a session's messages. After `close` it sends nothing, and every `sendAndWait` resolves. */
export class Replies {
  readonly #send: Send;
  readonly #unread: HighWaterMark;
  readonly #waiting = new Set<() => void>();
  #closed = false;

  /** @param unread counts the bytes that the sender has yet to read */
  constructor(send: Send, unread: HighWaterMark) {
    this.#send = send;
    this.#unread = unread;
  }

  /** The sender is too far behind with reading. */
  get full(): boolean {
    return this.#unread.full;
  }

  send(message: ReceiverMessage): void {
    if (this.#closed) return;
    const bytes = encode(message);
    this.#unread.add(bytes.length);
    this.#send(bytes, () => this.#unread.remove(bytes.length));
  }

  /** Resolves when the message has left, or the link is gone. */
  async sendAndWait(message: ReceiverMessage): Promise<void> {
    if (!this.#closed) await this.sendBytes(encode(message));
  }

  /**
   * The same for a message that is encoded already.
   * @param freed how many of its bytes are left to V8 then
   */
  async sendBytes(bytes: Buffer, freed = bytes.length): Promise<void> {
    if (this.#closed) return;
    this.#unread.add(bytes.length);
    await new Promise<void>((resolve) => {
      this.#waiting.add(resolve);
      this.#send(bytes, () => {
        this.#unread.remove(bytes.length, freed);
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
