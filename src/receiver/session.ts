import { randomUUID } from 'node:crypto';
import { HighWaterMark } from '../flow/high-water-mark.ts';
import type { DigestAlgorithm } from '../model/digest.ts';
import { IsyncError, toIsyncError } from '../model/isync-error.ts';
import type { Log } from '../model/log.ts';
import { CLOSE, type CloseCode } from '../protocol/close-codes.ts';
import { decodeSenderMessage } from '../protocol/codec.ts';
import type { Hello, SenderMessage } from '../protocol/messages.ts';
import { DeviceFolder } from '../store/device-folder.ts';
import type { Store, StoreIdentity } from '../store/store.ts';
import { FileIntake } from './file-intake.ts';
import { type SessionStart, type SessionWatch, UNWATCHED } from './devices/device-watch.ts';
import { deviceOf, refusalOf, welcome } from './handshake.ts';
import type { IdentityLookup } from './identity-lookup.ts';
import { Inbox } from './inbox.ts';
import type { MemoryBudget, MemoryShare } from './memory-budget.ts';
import { protocolViolation } from './protocol-violation.ts';
import type { ReceiverLimits } from './receiver-limits.ts';
import { Replies, type Send } from './replies.ts';
import { Requests } from './requests.ts';
import { WelcomedSession } from './welcomed-session.ts';

/** What carries a session's messages. All calls return at once and throw nothing. */
export interface SessionLink {
  readonly send: Send;
  /** Called at most once, last. */
  close(code: CloseCode, reason: string): void;
  /** Stops handing over messages; those read already may still come. Alternates with `resume`. */
  pause(): void;
  resume(): void;
}

export interface SessionOptions {
  readonly store: Store;
  /** Of the store, shared by all sessions. */
  readonly storeIdentity: IdentityLookup;
  /** Distinguishes this receiver from all others, also from itself before a restart. */
  readonly process: string;
  readonly link: SessionLink;
  readonly limits: Pick<
    ReceiverLimits,
    'filesInFlight' | 'openUploads' | 'requests' | 'pendingBytes' | 'outgoingBytes'
  >;
  /** The session takes a share of it for what it holds. */
  readonly memory: MemoryBudget;
  /** What WELCOME calls this side. */
  readonly software: string;
  /** Whether a session of the peer in mode `read` gets content. */
  readonly mayRead: boolean;
  /** Why the peer may not speak for `device` in this mode; undefined where it may. */
  authorize(device: string, mode: Hello['mode']): string | undefined;
  /** Ends the device's older write session; resolves when that one touches the store no more. */
  fence(device: string, session: ReceiverSession): Promise<void>;
  /** Told when the session is welcome; what it returns is told the rest. */
  watch(start: Omit<SessionStart, 'address'>): SessionWatch;
  readonly log: Log;
  /** Told, in place of the log, why a peer was sent away before HELLO was accepted. Must not throw. */
  readonly onRefused: (code: CloseCode, reason: string) => void;
}

/** Longest `software` of a sender in the log, in characters. */
const MAX_SOFTWARE_LOGGED = 100;

/**
 * The receiver's side of one session as PROTOCOL.md has it, from HELLO to the last commit. It never sees a socket:
 * messages come in through `receive` and go out through its link.
 */
export class ReceiverSession {
  readonly id: string = randomUUID();
  readonly #options: SessionOptions;
  readonly #replies: Replies;
  readonly #pending: HighWaterMark;
  readonly #inbox: Inbox;
  readonly #share: MemoryShare;
  readonly #over = new AbortController();
  #log: Log;
  /** hello: waits for it · opening: waits for the older session and the store · draining: takes no more, but answers. */
  #state: 'hello' | 'opening' | 'open' | 'draining' | 'over' = 'hello';
  #algorithm: DigestAlgorithm = 'xxh64';
  #opening: Promise<void> = Promise.resolve();
  #welcomed: WelcomedSession | undefined;
  #watch: SessionWatch | undefined;
  #paused = false;
  #finished: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    const { link, limits, memory } = options;
    const changed = (): void => this.#pauseOrResume();
    this.#options = options;
    this.#log = options.log.with({ session: this.id });
    this.#share = memory.open(changed);
    this.#pending = new HighWaterMark(limits.pendingBytes, changed, this.#share);
    this.#replies = new Replies(
      link.send.bind(link),
      new HighWaterMark(limits.outgoingBytes, changed, this.#share),
    );
    this.#inbox = new Inbox({ take: (bytes) => this.#take(bytes), full: () => this.#full, changed });
  }

  /** HELLO has come. */
  get greeted(): boolean {
    return this.#state !== 'hello';
  }

  /** Takes one message, and keeps its buffer. Never throws. */
  receive(bytes: Buffer): void {
    this.#inbox.add(bytes);
  }

  keepAlive(): void {
    this.#replies.send({ type: 'keepalive' });
  }

  /** Ends the session from this side: sends the ACKs of what is durable, then closes. Idempotent. */
  close(code: CloseCode, reason: string): void {
    if (this.#state === 'over') return;
    this.#welcomed?.flush();
    if (this.#state === 'hello') this.#options.onRefused(code, reason);
    else this.#log.info('session closed', { code, reason });
    this.#options.link.close(code, reason);
    void this.end();
  }

  /** Takes no more, waits for commits under way, sends their ACKs, then closes with 1001. */
  async shutdown(): Promise<void> {
    if (this.#state !== 'over') this.#state = 'draining';
    await this.#finish();
    this.close(CLOSE.GOING_AWAY, 'the receiver is shutting down');
  }

  /**
   * To be called when the link is gone. Resolves when the session touches the store no more: commits under way have ended,
   * and open uploads are kept for a resume. Idempotent.
   */
  end(): Promise<void> {
    this.#state = 'over';
    this.#replies.close();
    return this.#finish();
  }

  #finish(): Promise<void> {
    this.#inbox.close();
    this.#over.abort();
    this.#finished ??= this.#settle();
    return this.#finished;
  }

  async #settle(): Promise<void> {
    await this.#opening;
    if (this.#welcomed !== undefined) this.#log.info('session ended', await this.#welcomed.finish());
    this.#watch?.ended();
    this.#options.memory.close(this.#share);
  }

  #take(bytes: Buffer): void {
    try {
      this.#handle(decodeSenderMessage(bytes, this.#algorithm));
    } catch (error) {
      if (error instanceof IsyncError && error.code === 'PROTOCOL') this.close(CLOSE.PROTOCOL, error.message);
      else this.#fault(error);
    }
  }

  #handle(message: SenderMessage): void {
    if (this.#state === 'hello') {
      if (message.type !== 'hello') throw protocolViolation('the first message is not HELLO');
      this.#greet(message);
      return;
    }
    if (message.type === 'keepalive') return;
    if (this.#welcomed === undefined) throw protocolViolation(`${message.type} before WELCOME`);
    this.#welcomed.dispatch(message);
  }

  #greet(hello: Hello): void {
    const device = deviceOf(hello);
    const refusal = refusalOf(hello, this.#options.authorize(device, hello.mode));
    if (refusal !== undefined) return this.close(refusal.code, refusal.reason);
    this.#state = 'opening';
    this.#algorithm = hello.digest;
    this.#log = this.#log.with({ device, mode: hello.mode });
    this.#opening = this.#welcome(hello, device).catch((error: unknown) => this.#fault(error));
  }

  async #welcome(hello: Hello, device: string): Promise<void> {
    if (hello.mode === 'write') await this.#options.fence(device, this);
    const { id, freeBytes } = await this.#findStore();
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    this.#welcomed = this.#start(hello, device, id);
    const { software, limits, store, process } = this.#options;
    const { listedMtime } = store.capabilities;
    this.#replies.send(
      welcome({
        session: this.id,
        device,
        software,
        limits,
        reads: this.#readsIn(hello.mode),
        store:
          id === undefined
            ? undefined
            : {
                id,
                process,
                listedMtime,
                checksLooks: true,
                retirements: store.retirements !== undefined,
                freeBytes,
              },
      }),
    );
    this.#log.info('session opened', {
      digest: hello.digest,
      software: hello.software.slice(0, MAX_SOFTWARE_LOGGED),
    });
  }

  /** Without an id where the store fails to tell it: files can still be read and sent, and the next session asks again. */
  async #findStore(): Promise<StoreIdentity> {
    try {
      return await this.#options.storeIdentity.find(this.#over.signal);
    } catch (error) {
      if (!this.#over.signal.aborted) {
        const { code, message } = toIsyncError(error, 'STORE_FAILED');
        this.#log.warn('the store does not tell its identity', { code, reason: message });
      }
      return { id: undefined };
    }
  }

  #start(
    { mode, digest: algorithm, software, replaceDamaged = false }: Hello,
    device: string,
    storeId: string | undefined,
  ): WelcomedSession {
    const { store, limits } = this.#options;
    // Whoever gets files back may be anywhere: the device itself is silent all the same.
    const watch = this.#options.mayRead ? UNWATCHED : this.#options.watch({ device, mode, software });
    this.#watch = watch;
    const folder = new DeviceFolder(device);
    const common = { store, folder, algorithm, replies: this.#replies, log: this.#log };
    const intake = new FileIntake({
      ...common,
      replaceDamaged,
      limits,
      pending: this.#pending,
      onKept: (path, bytes) => watch.kept(path, bytes),
    });
    return new WelcomedSession({
      mode,
      reads: this.#readsIn(mode),
      algorithm,
      intake,
      requests: new Requests({
        ...common,
        storeId,
        isKept: (id) => intake.isKept(id),
        onSealed: (directory) => watch.sealed(directory),
        onOtherStore: () => this.close(CLOSE.GOING_AWAY, 'the store is another one'),
        maxOpen: limits.requests,
        pending: this.#pending,
        signal: this.#over.signal,
      }),
      onUnpack: (bytes) => this.#inbox.unpacked(bytes),
      onReport: (report) => watch.reported(report),
    });
  }

  #readsIn(mode: Hello['mode']): boolean {
    return mode === 'read' && this.#options.mayRead;
  }

  /** The session holds more for the sender than it should. */
  get #full(): boolean {
    return this.#pending.full || this.#replies.full || this.#share.over;
  }

  #pauseOrResume(): void {
    this.#inbox.drain();
    const pause = this.#full || this.#inbox.waiting;
    if (pause === this.#paused || this.#state === 'over') return;
    this.#paused = pause;
    if (pause) this.#options.link.pause();
    else this.#options.link.resume();
  }

  #fault(error: unknown): void {
    this.#log.error('fault in a session', { err: error });
    this.close(CLOSE.INTERNAL, 'a fault in the receiver');
  }
}
