import type { Abortable } from '../../model/abortable.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { KEEPALIVE_MS, MAX_PATHS_PER_MESSAGE, SILENCE_DEADLINE_MS } from '../../protocol/limits.ts';
import type { Content, FileRange, Welcome } from '../../protocol/messages.ts';
import { ZSTD } from '../../protocol/packing.ts';
import { SendQueue } from '../send-queue.ts';
import { Backoff } from '../../flow/retry.ts';
import {
  FILES_IN_FLIGHT,
  type LookOptions,
  type PutOptions,
  type Receipt,
  type SourceFile,
  type Target,
  type TargetIdentity,
  type TargetRecord,
  type TargetTraits,
} from '../target.ts';
import { Calls } from './calls.ts';
import { connect } from './connect.ts';
import { targetIdentityOf, Peer } from './peer.ts';
import { ForeignAnswer } from './connect-errors.ts';
import { peerEndsMs } from './certificate.ts';
import { Session } from './session.ts';
import type { WsTargetOptions } from './ws-target-options.ts';

/** Files unconfirmed at a time where they are compressed, to an eighth or so: 10,000 over 100 ms take 2.3 s instead of 4.0 s. */
const COMPRESSED_IN_FLIGHT = 2048;

/**
 * A receiver as a target. It connects at once and stays connected until it is disposed of; what was not acknowledged
 * when a link breaks goes first on the next one. After it gave up (see src/flow/retry.ts) it connects again with
 * the next call; a refusal (AUTH_REFUSED, VERSION_UNSUPPORTED, TLS_FAILED, FENCED) is final.
 */
export function createWsTarget(options: WsTargetOptions): ReceiverTarget {
  return new WsTarget(options);
}

/** What a receiver can do beyond other targets. */
export interface ReceiverTarget extends Target {
  /**
   * Resolves to the bytes of each range, each of one version, as far as it has them; see Content. Only in mode `read`, with a token that
   * reads: else it rejects with AUTH_REFUSED, and where the receiver knows no such thing with VERSION_UNSUPPORTED.
   * @param ranges at most MAX_PATHS_PER_MESSAGE, of at most MAX_READ_BYTES together
   */
  read(ranges: readonly FileRange[], options?: Abortable): Promise<Content['parts']>;
}

class WsTarget implements ReceiverTarget {
  readonly traits: TargetTraits;
  readonly refused: Promise<IsyncError>;
  readonly #refuse: (error: IsyncError) => void;
  readonly #options: WsTargetOptions;
  readonly #queue: SendQueue;
  readonly #calls: Calls;
  readonly #peer = new Peer();
  readonly #closing = new AbortController();
  #session: Session | undefined;
  #linked: Promise<void> | undefined;
  #toldUncompressed = false;
  /** When the try that has no link yet began; undefined once it has one. */
  #tryingSinceMs: number | undefined;

  constructor(options: WsTargetOptions) {
    const refused = Promise.withResolvers<IsyncError>();
    this.refused = refused.promise;
    this.#refuse = refused.resolve;
    this.#options = options;
    const { device, digest, compress = false, replaceDamaged = false } = options;
    const filesInFlight = compress ? COMPRESSED_IN_FLIGHT : FILES_IN_FLIGHT;
    this.traits = { device, digest, filesInFlight, replaceDamaged };
    this.#queue = new SendQueue(options.retry, options.onRetry);
    this.#calls = new Calls(options.retry, options.onRetry);
    const { signal } = options;
    if (signal?.aborted === true) this.#close(signal.reason);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#connectUnlessLinked();
  }

  async identify(options?: Abortable): Promise<TargetIdentity> {
    const identity = this.#peer.identify(options);
    this.#connectUnlessLinked();
    return identity;
  }

  get stalled(): boolean {
    return this.#session === undefined || (this.#calls.stalled && this.#queue.stalled);
  }

  /** Not async: a promise less for each file. */
  put(file: SourceFile, options: PutOptions = {}): Promise<Receipt> {
    if (this.#isReadOnly) return Promise.reject(forReadingOnly());
    const receipt = this.#queue.put(file, options);
    this.#connectUnlessLinked();
    return receipt;
  }

  async look(
    paths: readonly RelPath[],
    { digest = false, store, signal }: LookOptions = {},
  ): Promise<readonly (TargetRecord | undefined)[]> {
    const calls: ReturnType<Calls['look']>[] = [];
    for (let at = 0; at < paths.length; at += MAX_PATHS_PER_MESSAGE) {
      const part = paths.slice(at, at + MAX_PATHS_PER_MESSAGE);
      calls.push(this.#calls.look(part, { digest, store, signal }));
    }
    this.#connectUnlessLinked();
    const files = (await Promise.all(calls)).flat();
    return paths.map((path, at) => {
      const file = files[at];
      if (file === undefined) return undefined;
      return { entry: { path, size: file.size, mtimeUs: file.mtimeUs }, digest: file.digest };
    });
  }

  async retiredAt(directory: RelPath, options: Abortable = {}): Promise<number | undefined> {
    const asked = this.#calls.retired(directory, options);
    this.#connectUnlessLinked();
    const atUs = await asked;
    return atUs === undefined ? undefined : atUs / 1000;
  }

  /** Told when the whole list has come: half a list can't be continued on another link. */
  async *list(prefix: RelPath | '', options: Abortable = {}): AsyncIterable<FileEntry> {
    const listed = this.#calls.list(prefix, options);
    this.#connectUnlessLinked();
    yield* await listed;
  }

  async read(ranges: readonly FileRange[], options: Abortable = {}): Promise<Content['parts']> {
    const parts = this.#calls.read(ranges, options);
    this.#connectUnlessLinked();
    return await parts;
  }

  async seal(directory: RelPath, marker: SourceFile | undefined, options: Abortable = {}): Promise<void> {
    if (this.#isReadOnly) throw forReadingOnly();
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, ...(options.signal === undefined ? [] : [options.signal])]);
    try {
      // Live: all the directory's other files are there already, so what waits now is none of its business.
      const job = marker && this.#queue.add(marker, { signal, priority: 'live' });
      const sealed = this.#calls.seal(directory, job, { signal });
      this.#connectUnlessLinked();
      await Promise.all([job?.receipt, sealed]);
    } finally {
      // Where one of them comes to nothing, so does the other.
      over.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close(new IsyncError('INTERRUPTED', 'the target was closed'));
    await this.#linked;
  }

  readonly #onAbort = () => this.#close(this.#options.signal?.reason);

  #close(reason: unknown): void {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#closing.abort(reason);
    this.#queue.close(reason);
    this.#calls.close(reason);
    this.#peer.close(reason);
    this.#session?.close();
  }

  get #isReadOnly(): boolean {
    return this.#options.mode === 'read';
  }

  #connectUnlessLinked(): void {
    if (this.#linked !== undefined || this.#closing.signal.aborted) return;
    this.#linked = this.#keepLinked();
  }

  /** Keeps a session standing until closed, refused for good, or the retry limit is over. Never rejects. */
  async #keepLinked(): Promise<void> {
    const backoff = new Backoff(this.#options.retry);
    while (!this.#closing.signal.aborted) {
      const error = await this.#runSession(backoff);
      if (this.#closing.signal.aborted) return;
      this.#options.onLink?.('lost', error);
      if (this.#isFinal(error)) {
        this.#close(error);
        this.#refuse(error);
        return;
      }
      if (await this.#mayTryAgain(backoff, error)) continue;
      const gaveUp = this.#gaveUp(backoff, error);
      // Before anyone hears of it: whoever calls again at once needs a new link.
      this.#linked = undefined;
      this.#queue.rejectAll(gaveUp);
      this.#calls.rejectAll(gaveUp);
      this.#peer.rejectAll(gaveUp);
      return;
    }
  }

  /** One connection from its beginning to its end; resolves with why it ended. */
  async #runSession(backoff: Backoff): Promise<IsyncError> {
    const { onLink, digest: algorithm, limiter, deadlines } = this.#options;
    try {
      onLink?.('connecting');
      this.#tryingSinceMs = performance.now();
      const link = await this.#connect(backoff.leftMs);
      this.#tryingSinceMs = undefined;
      const identity = targetIdentityOf(link.welcome);
      const session = new Session({
        link,
        incarnation: identity.incarnation,
        queue: this.#queue,
        calls: this.#calls,
        algorithm,
        limiter,
        compress: this.#mayCompress(link.welcome),
        report: this.#options.report,
        deadlines: {
          keepaliveMs: deadlines?.keepaliveMs ?? KEEPALIVE_MS,
          silenceMs: deadlines?.silenceMs ?? SILENCE_DEADLINE_MS,
        },
        onSend: this.#options.onSend ?? (() => {}),
        onProgress: () => backoff.succeeded(),
      });
      this.#session = session;
      this.#peer.met(identity);
      onLink?.('connected');
      this.#options.onPeer?.({
        software: link.welcome.software,
        certificateEndsMs: peerEndsMs(link.raw),
      });
      const since = performance.now();
      const error = await session.ended;
      // A link that stood long and owed nothing was a good one; one that breaks on the same file each time is not.
      if (session.owed === 0 && performance.now() - since > backoff.longestDelayMs) backoff.succeeded();
      return error;
    } catch (error) {
      return toIsyncError(error, 'INTERNAL');
    } finally {
      this.#session = undefined;
      this.#peer.lost();
    }
  }

  async #connect(leftMs: number) {
    const { url, token, tls, device, mode, digest, replaceDamaged, received, software, deadlines } =
      this.#options;
    return connect({
      url,
      token: typeof token === 'function' ? await token() : token,
      tls: tls?.(),
      device,
      mode,
      digest,
      replaceDamaged,
      received,
      software,
      signal: this.#closing.signal,
      leftMs,
      connectDeadlineMs: deadlines?.connectMs,
      welcomeDeadlineMs: deadlines?.welcomeMs,
    });
  }

  #mayCompress({ compression }: Welcome): boolean {
    const { compress = false, onUncompressed } = this.#options;
    const offered = compression.includes(ZSTD);
    if (compress && !offered && !this.#toldUncompressed) {
      this.#toldUncompressed = true;
      onUncompressed?.();
    }
    return compress && offered;
  }

  #isFinal(error: IsyncError): boolean {
    // A broken rule, or a fault of ours, may not come again, or be mended by an update of the other side.
    if (error.code === 'PROTOCOL' || error.code === 'INTERNAL') return false;
    if (error.code === 'FENCED') return this.#options.retry.giveUpAfterMs !== undefined;
    return !error.retryable;
  }

  async #mayTryAgain(backoff: Backoff, error: IsyncError): Promise<boolean> {
    const { code } = error;
    const { onDelay } = this.#options;
    const forEver = this.#options.retry.giveUpAfterMs === undefined;
    // Whoever has but a while for its tries should not spend it on one.
    const foreign = error instanceof ForeignAnswer && forEver;
    const longest = foreign || code === 'PROTOCOL' || code === 'INTERNAL' || code === 'FENCED';
    try {
      return await backoff.wait({
        longest,
        sinceMs: this.#tryingSinceMs,
        onDelay,
        signal: this.#closing.signal,
      });
    } catch {
      return true; // Closed while it waited; the loop sees that.
    }
  }

  #gaveUp(backoff: Backoff, cause: IsyncError): IsyncError {
    const seconds = Math.round(backoff.failingMs / 1000);
    const tries = `${backoff.failures} ${backoff.failures === 1 ? 'try' : 'tries'} in ${seconds} s`;
    return new IsyncError('UNREACHABLE', `gave up after ${tries}; the last one: ${cause.message}`, {
      cause,
      retryable: false,
      hint: cause.hint ?? 'Check the address, the network, and that the receiver runs.',
    });
  }
}

function forReadingOnly(): IsyncError {
  return new IsyncError('INTERNAL', 'this link is for reading only');
}
