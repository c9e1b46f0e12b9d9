import { randomUUID } from 'node:crypto';
import type { DigestAlgorithm } from '../model/digest.ts';
import { parseDeviceName } from '../model/device-name.ts';
import { IsyncError, toIsyncError } from '../model/isync-error.ts';
import { CLOSE, type CloseCode } from '../protocol/close-codes.ts';
import { decodeSenderMessage } from '../protocol/codec.ts';
import { PROTOCOL_VERSION } from '../protocol/limits.ts';
import type { Chunk, Files, Hello, Packed, SenderMessage } from '../protocol/messages.ts';
import { unpack, ZSTD } from '../protocol/packing.ts';
import type { Store } from '../store/store.ts';
import { brokenRule } from './broken-rule.ts';
import { DeviceFolder } from '../store/device-folder.ts';
import { FileIntake } from './file-intake.ts';
import { HighWaterMark } from '../flow/high-water-mark.ts';
import type { IdentityLookup } from './identity-lookup.ts';
import { Inbox } from './inbox.ts';
import type { MemoryBudget, MemoryShare } from './memory-budget.ts';
import { Replies, type Send } from './replies.ts';
import type { ReceiverLimits } from './receiver-limits.ts';
import type { Log } from '../model/log.ts';
import { Requests } from './requests.ts';

/** What carries a session's messages. All calls return at once and throw nothing. */
export interface SessionLink {
  readonly send: Send;
  /** Called at most once, last. */
  close(code: CloseCode, reason: string): void;
  /** Stop handing over messages; those read already may still come. Called in turns with `resume`. */
  pause(): void;
  resume(): void;
}

export interface SessionOptions {
  readonly store: Store;
  /** Of the store, shared by all sessions. */
  readonly storeIdentity: IdentityLookup;
  /** Tells this receiver from all others, also from itself before a restart. */
  readonly process: string;
  readonly link: SessionLink;
  readonly limits: Pick<
    ReceiverLimits,
    'filesInFlight' | 'openUploads' | 'requests' | 'pendingBytes' | 'outgoingBytes'
  >;
  /** What this session may hold in memory is part of it. */
  readonly memory: MemoryBudget;
  /** Says in WELCOME who this is. */
  readonly software: string;
  /** Why the peer may not speak for `device`; undefined where it may. */
  authorize(device: string): string | undefined;
  /** Ends the device's older write session; resolves when it touches the store no more. */
  fence(device: string, session: ReceiverSession): Promise<void>;
  readonly log: Log;
  /** Told, in place of the log, why the peer was sent away before it was let in. Must not throw. */
  readonly onRefused: (code: CloseCode, reason: string) => void;
}

interface OpenSession {
  readonly mode: Hello['mode'];
  readonly intake: FileIntake;
  readonly requests: Requests;
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
  /** hello: waits for it · fencing: waits for the older session · draining: takes no more, but answers. */
  #state: 'hello' | 'fencing' | 'open' | 'draining' | 'over' = 'hello';
  #algorithm: DigestAlgorithm = 'xxh64';
  #opening: Promise<void> = Promise.resolve();
  #open: OpenSession | undefined;
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

  /** Takes one message. Its memory must not be used again by the caller. Never throws. */
  receive(bytes: Buffer): void {
    this.#inbox.add(bytes);
  }

  /** Says KEEPALIVE. */
  keepAlive(): void {
    this.#replies.say({ type: 'keepalive' });
  }

  /** Ends the session from this side: says the ACKs of what is durable, then closes. Idempotent. */
  close(code: CloseCode, reason: string): void {
    if (this.#state === 'over') return;
    this.#open?.intake.flush();
    if (this.#state === 'hello') this.#options.onRefused(code, reason);
    else this.#log.info('session closed', { code, reason });
    this.#options.link.close(code, reason);
    void this.end();
  }

  /** Takes no more, waits for commits under way, says their ACKs, then closes with 1001. */
  async shutdown(): Promise<void> {
    if (this.#state !== 'over') this.#state = 'draining';
    await this.#finish();
    this.close(CLOSE.GOING_AWAY, 'the receiver is shutting down');
  }

  /**
   * The link is gone. Resolves when the session touches the store no more: open uploads are kept for a resume,
   * and what was being committed has been. Idempotent.
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
    if (this.#open !== undefined) {
      this.#open.intake.suspendUploads();
      await this.#open.intake.idle();
      await this.#open.requests.idle();
      this.#log.info('session ended', { ...this.#open.intake.counts });
    }
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
      if (message.type !== 'hello') throw brokenRule('the first message is not HELLO');
      this.#greet(message);
      return;
    }
    if (message.type === 'keepalive') return;
    if (this.#open === undefined) throw brokenRule(`${message.type} before WELCOME`);
    this.#dispatch(this.#open, message);
  }

  #dispatch({ mode, intake, requests }: OpenSession, message: Exclude<SenderMessage, { type: 'keepalive' }>) {
    if (message.type === 'look') return requests.look(message);
    if (message.type === 'list') return requests.list(message);
    if (message.type === 'hello') throw brokenRule('a second HELLO');
    if (mode === 'read') throw brokenRule(`${message.type} in mode read`);
    const plain = message.type === 'packed' ? this.#unpack(message) : message;
    switch (plain.type) {
      case 'files':
        return intake.files(plain);
      case 'open':
        return intake.open(plain);
      case 'chunk':
        return intake.chunk(plain);
      case 'end':
        return intake.end(plain);
      case 'cancel':
        return intake.cancel(plain);
      case 'seal':
        return requests.seal(plain);
    }
  }

  #unpack(message: Packed): Files | Chunk {
    this.#inbox.unpacked(message.length);
    return unpack(message, this.#algorithm);
  }

  #greet(hello: Hello): void {
    const device = deviceOf(hello);
    const refusal = this.#options.authorize(device);
    if (refusal !== undefined) return this.close(CLOSE.DEVICE_REFUSED, refusal);
    if (hello.version < PROTOCOL_VERSION)
      return this.close(CLOSE.VERSION, `the receiver speaks version ${PROTOCOL_VERSION}`);
    this.#state = 'fencing';
    this.#algorithm = hello.digest;
    this.#log = this.#log.with({ device, mode: hello.mode });
    this.#opening = this.#welcome(hello, device).catch((error: unknown) => this.#fault(error));
  }

  async #welcome(hello: Hello, device: string): Promise<void> {
    if (hello.mode === 'write') await this.#options.fence(device, this);
    const storeId = await this.#findStoreId();
    if (this.#state !== 'fencing') return;
    this.#state = 'open';
    this.#open = this.#start(hello, device, storeId);
    const { software, limits, store, process } = this.#options;
    const { listedMtime } = store.capabilities;
    this.#replies.say({
      type: 'welcome',
      version: PROTOCOL_VERSION,
      session: this.id,
      device,
      software,
      limits: {
        filesInFlight: limits.filesInFlight,
        openUploads: limits.openUploads,
        requests: limits.requests,
      },
      compression: [ZSTD],
      store: storeId === undefined ? undefined : { id: storeId, process, listedMtime },
    });
    this.#log.info('session opened', {
      digest: hello.digest,
      software: hello.software.slice(0, MAX_SOFTWARE_LOGGED),
    });
  }

  /** Undefined where the store can't tell: its files wait, or can be read all the same, and the next session asks again. */
  async #findStoreId(): Promise<string | undefined> {
    try {
      return await this.#options.storeIdentity.find(this.#over.signal);
    } catch (error) {
      if (!this.#over.signal.aborted) {
        const { code, message } = toIsyncError(error, 'STORE_FAILED');
        this.#log.warn('the store does not tell its identity', { code, reason: message });
      }
      return undefined;
    }
  }

  #start(
    { mode, digest, replaceDamaged = false }: Hello,
    device: string,
    storeId: string | undefined,
  ): OpenSession {
    const { store, limits } = this.#options;
    const folder = new DeviceFolder(device);
    const common = { store, folder, algorithm: digest, replies: this.#replies, log: this.#log };
    return {
      mode,
      intake: new FileIntake({ ...common, replaceDamaged, limits, pending: this.#pending }),
      requests: new Requests({
        ...common,
        storeId,
        onOtherStore: () => this.close(CLOSE.GOING_AWAY, 'the store is another one'),
        most: limits.requests,
        pending: this.#pending,
        signal: this.#over.signal,
      }),
    };
  }

  /** More is held for the sender than should be. */
  get #full(): boolean {
    return this.#pending.full || this.#replies.full || this.#share.over;
  }

  #pauseOrResume(): void {
    this.#inbox.goOn();
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

function deviceOf(hello: Hello): string {
  try {
    return parseDeviceName(hello.device);
  } catch {
    // Its message quotes the name; a close frame has no room for that.
    throw brokenRule('"device" is no device name');
  }
}
