import type { ReceiverLimits } from './receiver-limits.ts';

/** Parts of the shortest deadline after which a connection is looked at. Sharper would only cost wake-ups. */
const TICKS_PER_DEADLINE = 8;

/** A connection at a tick. */
export interface ConnectionState {
  /** HELLO has come. */
  readonly greeted: boolean;
  /** We read nothing from the socket. */
  readonly paused: boolean;
  /** Bytes that the socket has received so far. */
  readonly bytesRead: number;
}

/**
 * Tells which deadlines of PROTOCOL.md a connection has missed. Time is counted in ticks and not read from a clock: a
 * process that was stopped or busy must not blame its peers.
 */
export class Deadlines {
  readonly tickMs: number;
  readonly #limits: Pick<ReceiverLimits, 'helloMs' | 'keepaliveMs' | 'silenceMs' | 'stallMs'>;
  #ticksWithoutHello = 0;
  #ticksSinceSent = 0;
  #ticksSinceReceived = 0;
  #bytesRead = 0;
  /** Messages that the system has not taken yet. */
  #unsent = 0;
  #ticksSinceOneLeft = 0;

  constructor(limits: Pick<ReceiverLimits, 'helloMs' | 'keepaliveMs' | 'silenceMs' | 'stallMs'>) {
    this.#limits = limits;
    this.tickMs = Math.ceil(
      Math.min(limits.helloMs, limits.keepaliveMs, limits.silenceMs) / TICKS_PER_DEADLINE,
    );
  }

  /** A message was handed to the socket. */
  sent(): void {
    this.#ticksSinceSent = 0;
    this.#unsent++;
  }

  /** One of these has left. */
  left(): void {
    this.#unsent--;
    this.#ticksSinceOneLeft = 0;
  }

  /** We read from the socket again. */
  resumed(): void {
    this.#ticksSinceReceived = 0;
  }

  /** Call every `tickMs`. Tells whether KEEPALIVE is due, and why the session is to be closed, if it is. */
  tick({ greeted, paused, bytesRead }: ConnectionState): { keepaliveDue: boolean; missed?: string } {
    const { helloMs, keepaliveMs, silenceMs, stallMs } = this.#limits;
    if (!greeted) {
      const isLate = ++this.#ticksWithoutHello * this.tickMs >= helloMs;
      return { keepaliveDue: false, ...(isLate && { missed: 'no HELLO in time' }) };
    }
    const keepaliveDue = ++this.#ticksSinceSent * this.tickMs >= keepaliveMs;
    if (bytesRead !== this.#bytesRead || paused) this.#ticksSinceReceived = 0;
    this.#bytesRead = bytesRead;
    if (this.#unsent > 0 && ++this.#ticksSinceOneLeft * this.tickMs > stallMs)
      return { keepaliveDue, missed: `nothing read for ${stallMs} ms` };
    if (++this.#ticksSinceReceived * this.tickMs > silenceMs)
      return { keepaliveDue, missed: `nothing received for ${silenceMs} ms` };
    return { keepaliveDue };
  }
}
