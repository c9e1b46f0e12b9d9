import { encode } from '../protocol/codec.ts';
import type { ReceiverMessage } from '../protocol/messages.ts';
import type { Gauge } from './gauge.ts';

/** Hands bytes over to the link, which calls `flushed` once they left for the kernel or the link is gone. */
export type Send = (bytes: Buffer, flushed: () => void) => void;

/** What a session says. After `close` it says nothing more, and nobody waits for it. */
export class Outbox {
  readonly #send: Send;
  readonly #gauge: Gauge;
  readonly #waiting = new Set<() => void>();
  #closed = false;

  /** @param gauge counts the bytes that wait for the other side to read them */
  constructor(send: Send, gauge: Gauge) {
    this.#send = send;
    this.#gauge = gauge;
  }

  /** More is waiting for the other side to read than it should. */
  get full(): boolean {
    return this.#gauge.full;
  }

  say(message: ReceiverMessage): void {
    if (this.#closed) return;
    const bytes = encode(message);
    this.#gauge.add(bytes.length);
    this.#send(bytes, () => this.#gauge.remove(bytes.length));
  }

  /** Resolves when the message has left, or never will. */
  async sayAndWait(message: ReceiverMessage): Promise<void> {
    if (this.#closed) return;
    const bytes = encode(message);
    this.#gauge.add(bytes.length);
    await new Promise<void>((resolve) => {
      this.#waiting.add(resolve);
      this.#send(bytes, () => {
        this.#gauge.remove(bytes.length);
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
