import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RawData, WebSocket } from 'ws';
import type { DigestAlgorithm } from '../../model/digest.ts';
import { toIsyncError, type IsyncError } from '../../model/isync-error.ts';
import { cutText } from '../../protocol/bytes.ts';
import { CLOSE, type CloseCode } from '../../protocol/close-codes.ts';
import { apartFromRead } from '../../http/large-reads.ts';
import { decodeReceiverMessage, encode } from '../../protocol/codec.ts';
import { MAX_FILES_PER_MESSAGE, MAX_REQUESTS_IN_FLIGHT, TARGET_BATCH_BYTES } from '../../protocol/limits.ts';
import type { Failed, ReceiverMessage } from '../../protocol/messages.ts';
import type { DeviceReport } from '../../protocol/report.ts';
import type { SendQueue } from '../send-queue.ts';
import type { RateLimiter } from '../../flow/rate-limiter.ts';
import { readBatch } from './batch.ts';
import type { Calls } from './calls.ts';
import type { Link } from './connect.ts';
import { closeError, linkLost, protocolFault, socketError, toldError } from './faults.ts';
import { Flights } from './flights.ts';
import type { Answer, Call } from './open-calls.ts';
import { Packer } from './packer.ts';
import { Reporter } from './reporter.ts';
import { Uploads } from './uploads.ts';
import { Wire, type Deadlines } from './wire.ts';

/** The event loop gets its turn after this long, in ms. */
const SLICE_MS = 8;
/** Longest reason of a close frame, in bytes (RFC 6455, 5.5). */
const MAX_REASON_BYTES = 123;
/** The close code of a socket that closed without one (RFC 6455, 7.1.5). */
const CLOSED_ABNORMALLY = 1006;
const LAST_REQUEST = 0xffff_ffff;

export interface SessionOptions {
  readonly link: Link;
  /** Of the receiver; see TargetIdentity. */
  readonly incarnation: string;
  readonly queue: SendQueue;
  readonly calls: Calls;
  readonly algorithm: DigestAlgorithm;
  readonly limiter: RateLimiter | undefined;
  /** Pack what gets smaller by it; the receiver must offer that. */
  readonly compress: boolean;
  /** What the device tells of itself; not asked where the receiver does not take it. */
  readonly report: (() => DeviceReport) | undefined;
  readonly deadlines: Deadlines;
  /** Told of each message that goes, in bytes. */
  readonly onSend: (bytes: number) => void;
  /** Called on progress: a file is durable, a request answered, an upload resumes later than before. */
  readonly onProgress: () => void;
}

/**
 * One connection: takes files and requests from their queues, sends them within the receiver's limits, and passes the
 * answers on. When it ends, files and requests without an answer go back to their queues.
 */
export class Session {
  /** Resolves, with why, when the socket is closed and every file too. */
  readonly ended: Promise<IsyncError>;
  readonly #options: SessionOptions;
  readonly #socket: WebSocket;
  readonly #wire: Wire;
  readonly #flights: Flights;
  readonly #uploads: Uploads;
  /** Of FILES; each upload has its own. */
  readonly #packer: Packer | undefined;
  readonly #reporter: Reporter | undefined;
  readonly #calls = new Map<number, Call>();
  readonly #over = new AbortController();
  #nextRequest = 1;
  #lastWasBatch = false;
  /** Where the files of a FILES lie until that is made. */
  #batch: Buffer | undefined;
  #wake: () => void = () => {};
  #woken = false;
  #fault: IsyncError | undefined;

  constructor(options: SessionOptions) {
    const { link, incarnation, queue, calls, algorithm, compress, deadlines, onProgress } = options;
    const { limits } = link.welcome;
    const onReady = () => this.#ready();
    const createPacker = () => (compress ? new Packer() : undefined);
    this.#options = options;
    this.#socket = link.socket;
    this.#wire = new Wire(link.socket, link.raw, deadlines, () => this.#silent());
    this.#wire.onSend = options.onSend;
    this.#wire.onRoom = queue.onReady = calls.onReady = onReady;
    this.#flights = new Flights(queue, incarnation, limits.filesInFlight, onProgress);
    this.#packer = createPacker();
    this.#uploads = new Uploads({
      queue,
      flights: this.#flights,
      wire: this.#wire,
      algorithm,
      most: limits.openUploads,
      messageBytes: () => this.#messageBytes(),
      createPacker,
      onReady,
    });
    const { report } = options;
    if (report !== undefined && link.welcome.reports === true) this.#reporter = new Reporter(report, onReady);
    this.ended = this.#run();
  }

  /** Files and requests that the receiver has not answered. */
  get owed(): number {
    return this.#flights.size + this.#calls.size;
  }

  /** Says goodbye; `ended` tells when it is done. The echo tells nothing where every answer has come: nobody waits for it then. */
  close(): void {
    const mayLeave = this.owed === 0 && this.#socket.readyState === this.#socket.OPEN;
    this.#end(linkLost('closed'), CLOSE.NORMAL);
    if (mayLeave) this.#options.link.raw.end(() => this.#socket.terminate());
  }

  async #run(): Promise<IsyncError> {
    const { link, queue, calls } = this.#options;
    const closed = this.#listen(link);
    const pumping = this.#pump();
    const fault = await closed;
    this.#wire.stop();
    this.#reporter?.[Symbol.dispose]();
    this.#over.abort(fault);
    this.#ready();
    const opening = await this.#uploads.stop(fault);
    await pumping;
    queue.onReady = calls.onReady = () => {};
    queue.giveBack([...this.#flights.jobs, ...opening]);
    calls.giveBack([...this.#calls.values()]);
    return fault;
  }

  /** Resolves with why when the socket is closed. */
  #listen({ socket, early }: Link): Promise<IsyncError> {
    const { promise, resolve } = Promise.withResolvers<IsyncError>();
    const onClose = (code: number, reason: string) => resolve((this.#fault ??= closeError(code, reason)));
    socket.on('error', (error) => {
      this.#fault ??= socketError(error);
    });
    socket.on('message', (bytes, binary) => this.#receive(bytes, binary));
    for (const { bytes, binary } of early) this.#receive(bytes, binary);
    socket.on('close', (code, reason) => onClose(code, reason.toString('utf8')));
    if (socket.readyState === socket.CLOSED) onClose(CLOSED_ABNORMALLY, '');
    return promise;
  }

  /** Ends the session from our side: says why, and waits for the socket to close. */
  #end(fault: IsyncError, code: CloseCode): void {
    this.#fault ??= fault;
    this.#socket.close(code, code === CLOSE.NORMAL ? '' : cutText(fault.message, MAX_REASON_BYTES));
  }

  #silent(): void {
    this.#wire.stop();
    this.#end(linkLost('nothing was heard for too long'), CLOSE.DEADLINE);
    // Nobody is there to answer the closing handshake.
    this.#socket.terminate();
  }

  #ready(): void {
    this.#woken = true;
    this.#wake();
  }

  async #pump(): Promise<void> {
    const { limiter } = this.#options;
    const { signal } = this.#over;
    let sliceEnd = performance.now() + SLICE_MS;
    try {
      while (!signal.aborted) {
        this.#woken = false;
        await limiter?.ready({ signal });
        if (!this.#wire.hasRoom || !this.#sendNext()) await this.#untilWoken();
        if (performance.now() < sliceEnd) continue;
        await nextTurn();
        sliceEnd = performance.now() + SLICE_MS;
      }
    } catch (error) {
      if (!signal.aborted) this.#end(toIsyncError(error, 'INTERNAL'), CLOSE.INTERNAL);
    }
  }

  async #untilWoken(): Promise<void> {
    if (this.#woken) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
  }

  /** Sends one message if there is one to send: a report, requests, then live files, then the backlog. */
  #sendNext(): boolean {
    if (this.#socket.readyState !== this.#socket.OPEN) return false;
    if (this.#flights.usedUp && this.#flights.size === 0) {
      this.#end(linkLost('this session has no file ids left'), CLOSE.GOING_AWAY);
      return false;
    }
    this.#uploads.start();
    return this.#sendReport() || this.#sendCall() || this.#sendFiles(true) || this.#sendFiles(false);
  }

  /** Small and rare: what waits for room is not held up by it. */
  #sendReport(): boolean {
    const bytes = this.#reporter?.take();
    if (bytes === undefined) return false;
    this.#wire.send(bytes);
    this.#options.limiter?.spend(bytes.length);
    return true;
  }

  #sendCall(): boolean {
    const { requests } = this.#options.link.welcome.limits;
    if (this.#calls.size >= Math.min(requests, MAX_REQUESTS_IN_FLIGHT)) return false;
    const call = this.#options.calls.take(this.#options.link.welcome);
    if (call === undefined) return false;
    const objection = call.objection(this.#options.link.welcome);
    if (objection !== undefined) {
      this.#options.calls.failed(call, objection);
      return true;
    }
    const request = this.#nextRequest;
    this.#nextRequest = request === LAST_REQUEST ? 1 : request + 1;
    this.#calls.set(request, call);
    const bytes = call.encode(request);
    this.#wire.send(bytes);
    this.#options.limiter?.spend(bytes.length);
    return true;
  }

  /** Small and large files take turns. */
  #sendFiles(live: boolean): boolean {
    if (this.#lastWasBatch) return this.#sendChunk(live) || this.#sendBatch(live);
    return this.#sendBatch(live) || this.#sendChunk(live);
  }

  #sendBatch(live: boolean): boolean {
    const { queue, algorithm, limiter } = this.#options;
    const expansion = this.#packer?.expansion ?? 1;
    const firstId = this.#flights.nextId;
    const files = readBatch(queue, {
      live,
      algorithm,
      mostFiles: Math.min(MAX_FILES_PER_MESSAGE, this.#flights.room(live) - this.#uploads.opening),
      mostBytes: Math.min(TARGET_BATCH_BYTES, this.#messageBytes() * expansion),
      memory: (this.#batch ??= Buffer.allocUnsafeSlow(TARGET_BATCH_BYTES)),
    });
    if (files.length === 0) return false;
    for (const { job, digest } of files) this.#flights.addSmall(job, digest);
    const plain = encode({ type: 'files', firstId, files });
    const bytes = this.#packer?.pack(plain) ?? plain;
    this.#wire.send(bytes);
    limiter?.spend(bytes.length);
    this.#lastWasBatch = true;
    return true;
  }

  #sendChunk(live: boolean): boolean {
    const bytes = this.#uploads.sendChunk(live);
    if (bytes === 0) return false;
    this.#options.limiter?.spend(bytes);
    this.#lastWasBatch = false;
    return true;
  }

  #messageBytes(): number {
    return Math.min(this.#wire.messageBytes, this.#options.limiter?.quantumBytes ?? Infinity);
  }

  #receive(bytes: RawData, binary: boolean): void {
    if (this.#fault !== undefined) return;
    try {
      if (!binary || !Buffer.isBuffer(bytes)) throw protocolFault('a text message');
      this.#dispatch(decodeReceiverMessage(apartFromRead(bytes), this.#options.algorithm));
      this.#ready();
    } catch (error) {
      const fault = toIsyncError(error, 'INTERNAL');
      this.#end(fault, fault.code === 'PROTOCOL' ? CLOSE.PROTOCOL : CLOSE.INTERNAL);
    }
  }

  #dispatch(message: ReceiverMessage): void {
    switch (message.type) {
      case 'ack':
        return this.#flights.acknowledged(message);
      case 'refused':
        return this.#flights.refused(message);
      case 'offset':
        return this.#flights.resumed(message);
      case 'looked':
      case 'retirement':
      case 'listed':
      case 'sealed':
      case 'content':
        return this.#answered(message);
      case 'failed':
        return this.#callFailed(message);
      case 'keepalive':
        return;
      case 'welcome':
        throw protocolFault('a second WELCOME');
    }
  }

  #answered(message: Answer): void {
    const call = this.#openCall(message.request);
    if (call.answer(message)) this.#calls.delete(message.request);
    this.#options.onProgress();
  }

  #callFailed(message: Failed): void {
    const call = this.#openCall(message.request);
    this.#calls.delete(message.request);
    this.#options.calls.failed(call, toldError(message));
  }

  #openCall(request: number): Call {
    const call = this.#calls.get(request);
    if (call === undefined) throw protocolFault(`an answer to request ${request}, which is not open`);
    return call;
  }
}
