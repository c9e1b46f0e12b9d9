import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { encode } from '../../protocol/codec.ts';

/**
 * Bytes handed to the socket and not yet taken by the kernel. Enough that the link never runs dry between two turns of
 * the event loop; little enough that a live file need not wait behind much.
 */
const HIGH_WATER_BYTES = 1024 * 1024;
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
  readonly #socket: WebSocket;
  readonly #raw: Socket;
  readonly #keepalive: NodeJS.Timeout;
  readonly #silence: NodeJS.Timeout;
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
    return this.#unsent < HIGH_WATER_BYTES;
  }

  /** The bytes belong to the socket until `onTaken`; it is not called when the link breaks before. */
  send(bytes: Buffer, onTaken?: () => void): void {
    this.#unsent += bytes.length;
    this.#sentSinceTick = true;
    this.#socket.send(bytes, (error) => {
      if (error) return; // The socket closes now, and the session hears of that.
      const hadRoom = this.hasRoom;
      this.#unsent -= bytes.length;
      onTaken?.();
      if (!hadRoom && this.hasRoom) this.onRoom();
    });
  }

  stop(): void {
    clearInterval(this.#keepalive);
    clearInterval(this.#silence);
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
