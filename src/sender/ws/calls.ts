import type { Abortable } from '../../model/abortable.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { encode } from '../../protocol/codec.ts';
import type {
  Content,
  FileRange,
  Listed,
  LookedFile,
  Looked,
  Sealed,
  Welcome,
} from '../../protocol/messages.ts';
import { isFailure } from '../../protocol/content-codec.ts';
import { Fifo } from '../../flow/fifo.ts';
import { Backoff, type RetryPolicy } from '../../flow/retry.ts';
import { otherStore } from '../other-store.ts';
import type { LookOptions } from '../target.ts';

/** Most memory for the files of one LIST, in bytes, some millions of them: a receiver must not fill all of ours. */
const MAX_LISTED_BYTES = 1024 * 1024 * 1024;
/** Memory of a listed file beside its path, in bytes. */
const LISTED_FILE_COST = 120;

export type Answer = Looked | Listed | Sealed | Content;

/** One LOOK, LIST, SEAL or READ, over as many sessions as it takes. */
export interface Call {
  readonly settled: boolean;
  /** Why a receiver that has said this must not be asked; undefined where it may. */
  objection(welcome: Offered): IsyncError | undefined;
  encode(request: number): Buffer;
  /** Whether this was the last answer. @throws IsyncError PROTOCOL for an answer that does not fit */
  answer(message: Answer): boolean;
}

/** What of WELCOME decides whether a receiver can be asked. */
type Offered = Pick<Welcome, 'store' | 'reads'>;

/**
 * Queues the requests for a session. A session takes calls out, hands them their answers, and gives back those that it
 * could not finish.
 */
export class Calls {
  /** Called when a call may have become ready to take. */
  onReady: () => void = () => {};
  readonly #retry: RetryPolicy;
  readonly #onRetry: (error: IsyncError) => void;
  readonly #waiting = new Fifo<OpenCall>();
  readonly #open = new Set<OpenCall>();
  readonly #closing = new AbortController();
  #closedBy: unknown;

  /** `onRetry` is told why a call has to wait and will go again; it must not throw. */
  constructor(retry: RetryPolicy, onRetry: (error: IsyncError) => void = () => {}) {
    this.#retry = retry;
    this.#onRetry = onRetry;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Whether each call waits for another try. */
  get stalled(): boolean {
    return [...this.#open].every((call) => call.pausing);
  }

  look(paths: readonly RelPath[], options: LookOptions): Promise<readonly (LookedFile | undefined)[]> {
    return this.#call(options, (resolve) => new LookCall(paths, options, resolve));
  }

  list(prefix: RelPath | '', options: Abortable): Promise<readonly FileEntry[]> {
    return this.#call(options, (resolve) => new ListCall(prefix, resolve));
  }

  seal(directory: RelPath, options: Abortable): Promise<void> {
    return this.#call(options, (resolve) => new SealCall(directory, resolve));
  }

  /** What the receiver has for each range; see Content. */
  read(ranges: readonly FileRange[], options: Abortable): Promise<Content['parts']> {
    return this.#call(options, (resolve) => new ReadCall(ranges, resolve));
  }

  take(): Call | undefined {
    while (this.#waiting.peek()?.settled === true) this.#waiting.shift();
    return this.#waiting.shift();
  }

  giveBack(taken: readonly Call[]): void {
    const calls = taken.filter((call) => call instanceof OpenCall);
    for (const call of calls) call.restart();
    this.#waiting.unshift(calls);
    this.onReady();
  }

  /** The receiver answered FAILED. */
  failed(call: Call, error: IsyncError): void {
    if (!(call instanceof OpenCall) || call.settled) return;
    if (!error.retryable) {
      call.reject(error);
      return;
    }
    this.#onRetry(error);
    void this.#later(call, error);
  }

  rejectAll(reason: unknown): void {
    for (const call of this.#open) call.reject(reason);
  }

  /** Rejects everything, now and later, with `reason`. */
  close(reason: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#closedBy = reason;
    this.#closing.abort();
    this.rejectAll(reason);
  }

  async #call<T>({ signal }: Abortable, make: (resolve: (value: T) => void) => OpenCall): Promise<T> {
    if (this.#closing.signal.aborted) throw this.#closedBy;
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const call = make(resolve);
    call.onRejected = reject;
    const abort = () => call.reject(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    this.#open.add(call);
    this.#waiting.push(call);
    this.onReady();
    try {
      return await promise;
    } finally {
      this.#open.delete(call);
      signal?.removeEventListener('abort', abort);
    }
  }

  async #later(call: OpenCall, error: IsyncError): Promise<void> {
    call.backoff ??= new Backoff(this.#retry);
    call.pausing = true;
    let again: boolean;
    try {
      again = await call.backoff.wait({ signal: this.#closing.signal });
    } catch {
      return; // Closed: the call has been rejected with everything else.
    }
    call.pausing = false;
    if (!again) {
      call.reject(error);
      return;
    }
    call.restart();
    this.#waiting.push(call);
    this.onReady();
  }
}

abstract class OpenCall implements Call {
  settled = false;
  pausing = false;
  backoff: Backoff | undefined;
  onRejected: (reason: unknown) => void = () => {};

  objection(_welcome: Offered): IsyncError | undefined {
    return undefined;
  }

  abstract encode(request: number): Buffer;
  abstract answer(message: Answer): boolean;

  /** Forgets answers of an earlier try. */
  restart(): void {}

  reject(reason: unknown): void {
    this.settled = true;
    this.onRejected(reason);
  }
}

class LookCall extends OpenCall {
  readonly #paths: readonly RelPath[];
  readonly #digest: boolean;
  readonly #store: string | undefined;
  readonly #resolve: (files: readonly (LookedFile | undefined)[]) => void;

  constructor(
    paths: readonly RelPath[],
    { digest = false, store }: LookOptions,
    resolve: (files: readonly (LookedFile | undefined)[]) => void,
  ) {
    super();
    this.#paths = paths;
    this.#digest = digest;
    this.#store = store;
    this.#resolve = resolve;
  }

  override objection({ store }: Offered): IsyncError | undefined {
    if (this.#store === undefined) return undefined;
    if (store?.id !== this.#store) return otherStore();
    return store.checksLooks ? undefined : tooOld();
  }

  override encode(request: number): Buffer {
    return encode({ type: 'look', request, digest: this.#digest, paths: this.#paths });
  }

  override answer(message: Answer): boolean {
    if (message.type !== 'looked') throw unfitting('LOOK');
    if (message.files.length !== this.#paths.length) throw unfitting('LOOK');
    if (this.#digest && message.files.some((file) => file !== undefined && file.digest === undefined))
      throw unfitting('LOOK');
    this.settled = true;
    this.#resolve(message.files);
    return true;
  }
}

class ListCall extends OpenCall {
  readonly #prefix: RelPath | '';
  readonly #resolve: (files: readonly FileEntry[]) => void;
  #files: FileEntry[] = [];
  #bytes = 0;

  constructor(prefix: RelPath | '', resolve: (files: readonly FileEntry[]) => void) {
    super();
    this.#prefix = prefix;
    this.#resolve = resolve;
  }

  override encode(request: number): Buffer {
    return encode({ type: 'list', request, prefix: this.#prefix });
  }

  override answer(message: Answer): boolean {
    if (message.type !== 'listed') throw unfitting('LIST');
    for (const file of message.files) {
      this.#bytes += LISTED_FILE_COST + file.path.length;
      this.#files.push(file);
    }
    if (this.#bytes > MAX_LISTED_BYTES)
      throw new IsyncError('PROTOCOL', `more than ${MAX_LISTED_BYTES} bytes in one list`);
    if (!message.last) return false;
    this.settled = true;
    this.#resolve(this.#files);
    return true;
  }

  override restart(): void {
    this.#files = [];
    this.#bytes = 0;
  }
}

class SealCall extends OpenCall {
  readonly #directory: RelPath;
  readonly #resolve: () => void;

  constructor(directory: RelPath, resolve: () => void) {
    super();
    this.#directory = directory;
    this.#resolve = resolve;
  }

  override encode(request: number): Buffer {
    return encode({ type: 'seal', request, directory: this.#directory });
  }

  override answer(message: Answer): boolean {
    if (message.type !== 'sealed') throw unfitting('SEAL');
    this.settled = true;
    this.#resolve();
    return true;
  }
}

class ReadCall extends OpenCall {
  readonly #ranges: readonly FileRange[];
  readonly #resolve: (parts: Content['parts']) => void;

  constructor(ranges: readonly FileRange[], resolve: (parts: Content['parts']) => void) {
    super();
    this.#ranges = ranges;
    this.#resolve = resolve;
  }

  override objection({ reads }: Offered): IsyncError | undefined {
    if (reads === undefined) return knowsNoReads();
    return reads ? undefined : givesNoContent();
  }

  override encode(request: number): Buffer {
    return encode({ type: 'read', request, ranges: this.#ranges });
  }

  override answer(message: Answer): boolean {
    if (message.type !== 'content' || message.parts.length !== this.#ranges.length) throw unfitting('READ');
    for (const [at, part] of message.parts.entries())
      if (
        part !== undefined &&
        !isFailure(part) &&
        part.content.length !== wanted(part.size, this.#ranges[at])
      )
        throw unfitting('READ');
    this.settled = true;
    this.#resolve(message.parts);
    return true;
  }
}

/** Bytes that the range has of a file of this size. */
function wanted(size: number, range: FileRange | undefined): number {
  return range === undefined ? 0 : Math.max(0, Math.min(range.length, size - range.start));
}

function knowsNoReads(): IsyncError {
  return new IsyncError('VERSION_UNSUPPORTED', 'the receiver is of a version that gives no content back', {
    hint: 'Update the receiver; or fetch from its store, on the server.',
  });
}

function givesNoContent(): IsyncError {
  return new IsyncError('AUTH_REFUSED', 'the receiver gives content back only for a token that reads', {
    hint: 'On the server: isync token add DEVICE --read --tokens FILE. Here: give that token with --token-file.',
  });
}

function tooOld(): IsyncError {
  return new IsyncError('VERSION_UNSUPPORTED', 'the receiver can not say of which store its answers are', {
    hint: 'Update the receiver.',
  });
}

function unfitting(name: string): IsyncError {
  return new IsyncError('PROTOCOL', `an answer that does not fit its ${name}`);
}
