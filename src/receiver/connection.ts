import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { cutText } from '../protocol/bytes.ts';
import { CLOSE, type CloseCode } from '../protocol/close-codes.ts';
import type { Store } from '../store/store.ts';
import type { IdentityLookup } from './identity-lookup.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { ReceiverLimits } from './receiver-limits.ts';
import type { Log } from '../model/log.ts';
import { ReceiverSession, type SessionLink } from './session.ts';
import type { TokenIdentity } from './token-file.ts';
import type { WriterFence } from './writer-fence.ts';

/** Longest reason in a close frame, in bytes (RFC 6455, 5.5: 125 with the code). */
const MAX_REASON_BYTES = 123;
/** Parts of the shorter deadline after which a connection is looked at. Sharper would only cost wake-ups. */
const TICKS_PER_DEADLINE = 8;

export interface ConnectionOptions {
  readonly ws: WebSocket;
  /** The socket under `ws`, for its count of bytes. */
  readonly socket: Socket;
  /** Whose token it was; undefined where the receiver has no tokens. */
  readonly identity: TokenIdentity | undefined;
  readonly store: Store;
  readonly storeIdentity: IdentityLookup;
  /** Tells this receiver from all others, also from itself before a restart. */
  readonly process: string;
  readonly software: string;
  readonly limits: ReceiverLimits;
  readonly memory: MemoryBudget;
  readonly fence: WriterFence;
  readonly log: Log;
  /** Told, in place of the log, when the peer has not got as far as a session. Must not throw. */
  readonly onRefused: (code: CloseCode, reason: string) => void;
}

/** One WebSocket and the session on it: hands messages over, and sees to the deadlines of PROTOCOL.md. */
export class Connection implements SessionLink {
  readonly identity: TokenIdentity | undefined;
  /** Resolves when the socket is closed and the session touches the store no more. */
  readonly ended: Promise<void>;
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #limits: ReceiverLimits;
  readonly #session: ReceiverSession;
  readonly #ticker: NodeJS.Timeout;
  readonly #tickMs: number;
  #paused = false;
  #closing = false;
  /** Counted in ticks, not in time: a process that was stopped or busy must not blame its peers. */
  #ticksSinceSent = 0;
  #ticksSinceReceived = 0;
  #bytesSeen = 0;
  #ticksWithoutHello = 0;
  /** Messages that have not left. */
  #unsent = 0;
  #ticksSinceOneLeft = 0;

  constructor(options: ConnectionOptions) {
    const {
      ws,
      socket,
      identity,
      store,
      storeIdentity,
      process,
      software,
      limits,
      memory,
      fence,
      log,
      onRefused,
    } = options;
    this.identity = identity;
    this.#ws = ws;
    this.#socket = socket;
    this.#limits = limits;
    this.#session = new ReceiverSession({
      store,
      storeIdentity,
      process,
      link: this,
      limits,
      memory,
      software,
      log,
      onRefused,
      authorize: (device) =>
        identity === undefined || identity.device === device ? undefined : 'the token is of another device',
      fence: (device, session) => fence.take(device, session),
    });
    this.ended = this.#serve(log).then(() => fence.leave(this.#session));
    this.#tickMs = Math.ceil(
      Math.min(limits.helloMs, limits.keepaliveMs, limits.silenceMs) / TICKS_PER_DEADLINE,
    );
    this.#ticker = setInterval(() => this.#tick(), this.#tickMs);
  }

  send(bytes: Buffer, flushed: () => void): void {
    this.#ticksSinceSent = 0;
    this.#unsent++;
    this.#ws.send(bytes, () => {
      // An error is the broken link that `close` tells of.
      this.#unsent--;
      this.#ticksSinceOneLeft = 0;
      flushed();
    });
  }

  close(code: CloseCode, reason: string): void {
    this.#closing = true;
    this.#ws.close(code, cutText(reason, MAX_REASON_BYTES));
    // The other side's close frame lies behind what it has sent already.
    this.#ws.resume();
  }

  pause(): void {
    this.#paused = true;
    this.#ws.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#ticksSinceReceived = 0;
    this.#ws.resume();
  }

  /** The token has been revoked. */
  revoke(): void {
    this.#session.close(CLOSE.TOKEN_REVOKED, 'the token has been revoked');
  }

  /** Finishes what is being committed, says so, closes with 1001. */
  async shutdown(): Promise<void> {
    await this.#session.shutdown();
    await this.ended;
  }

  async #serve(log: Log): Promise<void> {
    this.#ws.on('message', (message, isBinary) => {
      if (isBinary && Buffer.isBuffer(message)) this.#session.receive(message);
      else this.#session.close(CLOSE.PROTOCOL, 'a text message');
    });
    // ws has closed the connection itself then, with a code of RFC 6455.
    this.#ws.on('error', (error) => log.debug('connection broken', { err: error }));
    await new Promise<void>((resolve) => {
      this.#ws.once('close', (code) => {
        log.debug('connection closed', { code });
        resolve();
      });
    });
    this.#closing = true;
    clearInterval(this.#ticker);
    await this.#session.end();
  }

  #tick(): void {
    if (this.#closing) return;
    const { helloMs, keepaliveMs, silenceMs, stallMs } = this.#limits;
    if (!this.#session.greeted) {
      if (++this.#ticksWithoutHello * this.#tickMs >= helloMs)
        this.#session.close(CLOSE.DEADLINE, 'no HELLO in time');
      return;
    }
    if (++this.#ticksSinceSent * this.#tickMs >= keepaliveMs) this.#session.keepAlive();
    if (this.#socket.bytesRead !== this.#bytesSeen || this.#paused) this.#ticksSinceReceived = 0;
    this.#bytesSeen = this.#socket.bytesRead;
    if (this.#unsent > 0 && ++this.#ticksSinceOneLeft * this.#tickMs > stallMs)
      this.#session.close(CLOSE.DEADLINE, `nothing read for ${stallMs} ms`);
    else if (++this.#ticksSinceReceived * this.#tickMs > silenceMs)
      this.#session.close(CLOSE.DEADLINE, `nothing received for ${silenceMs} ms`);
  }
}
