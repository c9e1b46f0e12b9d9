import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { encode } from '../../protocol/codec.ts';

/**
 * Most bytes handed to the socket and not yet taken by the kernel. At the upper end a fast link never runs dry
 * between two turns of the event loop; at the lower end a live file need not wait long on a thin one.
 */
const MAX_WATER_BYTES = 1024 * 1024;
const MIN_WATER_BYTES = 64 * 1024;
const FIRST_WATER_BYTES = 256 * 1024;
/** A message that waits in the socket for longer is too long, in ms: the mark sinks. */
const SLOW_MS = 200;
/** Below this the mark rises, in ms. */
const FAST_MS = 50;
/** Ticks in which silence is counted. Counting ticks instead of time forgives a process that was stopped meanwhile. */
const SILENCE_TICKS = 5;
const KEEPALIVE = encode({ type: 'keepalive' });

export interface Deadlines {
  readonly keepaliveMs: number;
  readonly silenceMs: number;
}

/** The socket of a session: bounded sending and liveness. */
export class Wire {
  /** Called when there may be room again. */
  onRoom: () => void = () => {};
  /** Told of each message as it is handed to the socket, in bytes. */
  onSend: (bytes: number) => void = () => {};
  readonly #socket: WebSocket;
  readonly #raw: Socket;
  readonly #keepalive: NodeJS.Timeout;
  readonly #silence: NodeJS.Timeout;
  #water = FIRST_WATER_BYTES;
  #unsent = 0;
  #sentSinceTick = false;
  #silentTicks = 0;
  #bytesRead: number;

  constructor(socket: WebSocket, raw: Socket, { keepaliveMs, silenceMs }: Deadlines, onSilence: () => void) {
    this.#socket = socket;
    this.#raw = raw;
    this.#bytesRead = raw.bytesRead;
    // Twice as often, because a tick only knows that nothing was sent since the tick before.
    this.#keepalive = setInterval(() => this.#keepAlive(), keepaliveMs / 2);
    this.#silence = setInterval(() => this.#listen(onSilence), silenceMs / SILENCE_TICKS);
  }

  get hasRoom(): boolean {
    return this.#unsent < this.#water;
  }

  /** Most content that one message should have, in bytes: a few messages fill the socket. */
  get messageBytes(): number {
    return this.#water / 4;
  }

  /** The bytes belong to the socket until `sent` is called, which is never where the link breaks. */
  send(bytes: Buffer, sent?: () => void): void {
    const sentAt = performance.now();
    this.#unsent += bytes.length;
    this.#sentSinceTick = true;
    this.onSend(bytes.length);
    this.#socket.send(bytes, (error) => {
      if (error) return; // The socket closes now, and the session hears of that.
      const hadRoom = this.hasRoom;
      this.#unsent -= bytes.length;
      sent?.();
      this.#adapt(performance.now() - sentAt);
      if (!hadRoom && this.hasRoom) this.onRoom();
    });
  }

  stop(): void {
    clearInterval(this.#keepalive);
    clearInterval(this.#silence);
  }

  #adapt(waitedMs: number): void {
    if (waitedMs > SLOW_MS) this.#water = Math.max(MIN_WATER_BYTES, this.#water / 2);
    else if (waitedMs < FAST_MS) this.#water = Math.min(MAX_WATER_BYTES, this.#water * 2);
  }

  /** While bytes wait in the socket, those that trickle out keep the other side patient. */
  #keepAlive(): void {
    if (!this.#sentSinceTick && this.#unsent === 0) this.send(KEEPALIVE);
    this.#sentSinceTick = false;
  }

  #listen(onSilence: () => void): void {
    const { bytesRead } = this.#raw;
    this.#silentTicks = bytesRead === this.#bytesRead ? this.#silentTicks + 1 : 0;
    this.#bytesRead = bytesRead;
    if (this.#silentTicks >= SILENCE_TICKS) onSilence();
  }
}
