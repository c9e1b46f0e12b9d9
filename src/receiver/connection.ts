import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { cutText } from '../protocol/bytes.ts';
import { CLOSE, type CloseCode } from '../protocol/close-codes.ts';
import type { Hello } from '../protocol/messages.ts';
import type { Log } from '../model/log.ts';
import type { Store } from '../store/store.ts';
import type { SessionStart, SessionWatch } from './devices/device-watch.ts';
import { Deadlines } from './deadlines.ts';
import type { IdentityLookup } from './identity-lookup.ts';
import { apartFromRead } from '../http/large-reads.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { ReceiverLimits } from './receiver-limits.ts';
import { ReceiverSession, type SessionLink } from './session.ts';
import type { TokenIdentity } from '../access/token-file.ts';
import type { WriterFence } from './writer-fence.ts';

/** Longest reason in a close frame, in bytes (RFC 6455, 5.5: 125 with the code). */
const MAX_REASON_BYTES = 123;

export interface ConnectionOptions {
  readonly ws: WebSocket;
  /** The socket under `ws`, for its count of bytes. */
  readonly socket: Socket;
  /** Whose token it was; undefined where the receiver has no tokens. */
  readonly identity: TokenIdentity | undefined;
  /** Of the peer, without its port. */
  readonly address: string;
  readonly store: Store;
  readonly storeIdentity: IdentityLookup;
  /** Tells this receiver from all others, also from itself before a restart. */
  readonly process: string;
  readonly software: string;
  readonly limits: ReceiverLimits;
  readonly memory: MemoryBudget;
  readonly fence: WriterFence;
  readonly watch: (start: Omit<SessionStart, 'address'>) => SessionWatch;
  readonly log: Log;
  /** Told, in place of the log, when the peer has not got as far as a session. Must not throw. */
  readonly onRefused: (code: CloseCode, reason: string) => void;
}

/** A WebSocket and the session on it: hands messages over, and closes the session when it misses a deadline. */
export class Connection implements SessionLink {
  readonly identity: TokenIdentity | undefined;
  /** Of the peer, without its port. */
  readonly address: string;
  /** Resolves when the socket is closed and the session touches the store no more. */
  readonly ended: Promise<void>;
  readonly #ws: WebSocket;
  readonly #socket: Socket;
  readonly #session: ReceiverSession;
  readonly #deadlines: Deadlines;
  readonly #ticker: NodeJS.Timeout;
  #paused = false;
  #closing = false;

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
      watch,
      log,
      onRefused,
    } = options;
    this.identity = identity;
    this.address = options.address;
    this.#ws = ws;
    this.#socket = socket;
    this.#deadlines = new Deadlines(limits);
    this.#session = new ReceiverSession({
      store,
      storeIdentity,
      process,
      link: this,
      limits,
      memory,
      software,
      watch,
      log,
      onRefused,
      mayRead: identity?.access === 'read',
      authorize: (device, mode) => objectionTo(identity, device, mode),
      fence: (device, session) => fence.take(device, session),
    });
    this.ended = this.#serve(log).then(() => fence.leave(this.#session));
    this.#ticker = setInterval(() => this.#tick(), this.#deadlines.tickMs);
  }

  send(bytes: Buffer, flushed: () => void): void {
    this.#deadlines.sent();
    this.#ws.send(bytes, () => {
      // An error is that of a broken link, which `close` tells.
      this.#deadlines.left();
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
    this.#deadlines.resumed();
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
      if (isBinary && Buffer.isBuffer(message)) this.#session.receive(apartFromRead(message));
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
    const { keepaliveDue, missed } = this.#deadlines.tick({
      greeted: this.#session.greeted,
      paused: this.#paused,
      bytesRead: this.#socket.bytesRead,
    });
    if (keepaliveDue) this.#session.keepAlive();
    if (missed !== undefined) this.#session.close(CLOSE.DEADLINE, missed);
  }
}

/** Why whoever has the token may not speak for `device` in this mode. Without tokens everybody may, but gets no content. */
function objectionTo(
  identity: TokenIdentity | undefined,
  device: string,
  mode: Hello['mode'],
): string | undefined {
  if (identity === undefined) return undefined;
  if (identity.device !== device) return 'the token is of another device';
  return identity.access === 'read' && mode === 'write' ? 'the token is for reading only' : undefined;
}
