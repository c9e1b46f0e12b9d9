import { connect as connectPlain, isIP, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type AnswerHead, hasLength, readAnswerHead, staysOpen } from './answer-head.ts';

/** Longest times without a byte, in ms: until an answer begins, when the SDK asks; and once it has, as the SDK has it. */
const PATIENCE = { answerMs: 10_000, bodyMs: 60_000 };
/** How long a connection waits for its next request, in ms: less than servers give one. */
const IDLE_MS = 4000;
/** Longest head of an answer, in bytes: twice as long as those of S3 with all that people may give an object. */
const MOST_HEAD_BYTES = 16 * 1024;
const HEAD_END = '\r\n\r\n';

export interface ConnectionRoute {
  readonly endpoint: URL;
  /** PEM of the authorities to trust; undefined: those of the process. */
  readonly ca: string | undefined;
}

/** An answer whose body is coming. */
export interface Coming {
  /** Resolves when the buffer is full; rejects with a system error where the body is cut, or stands still. */
  readonly full: Promise<void>;
}

/** Where the body of an answer is to go, all of it; undefined where it is not wanted. */
export type PlaceFor = (head: AnswerHead) => Uint8Array | undefined;

interface Exchange {
  readonly placeFor: PlaceFor;
  readonly begun: PromiseWithResolvers<Coming | undefined>;
  readonly full: PromiseWithResolvers<void>;
  /** Known once the head has come. */
  into: Uint8Array | undefined;
  /** Bytes of the body that are in `into`. */
  filled: number;
  isLast: boolean;
}

/**
 * A connection over which answers that tell their length come right into the caller's memory: the kernel writes there. A stream
 * takes new memory for each 64 KiB instead, which costs several times as much as to read them. It knows no HTTP beyond
 * that: whatever else comes ends the connection.
 */
export class IntoBuffer {
  readonly #socket: Socket;
  readonly #patience: typeof PATIENCE;
  readonly #head = Buffer.allocUnsafeSlow(MOST_HEAD_BYTES);
  #headBytes = 0;
  #exchange: Exchange | undefined;
  #isOpen = true;

  constructor({ endpoint, ca }: ConnectionRoute, patience = PATIENCE) {
    this.#patience = patience;
    const host = endpoint.hostname.replaceAll(/^\[|\]$/g, '');
    const isTls = endpoint.protocol === 'https:';
    const port = Number(endpoint.port === '' ? (isTls ? 443 : 80) : endpoint.port);
    const onread: OnReadOpts = { buffer: () => this.#room(), callback: (bytes) => this.#came(bytes) };
    const to = { host, port, onread, noDelay: true };
    this.#socket = isTls
      ? connectTls({ ...to, ...(ca !== undefined && { ca }), ...(isIP(host) === 0 && { servername: host }) })
      : connectPlain(to);
    this.#socket.on('timeout', () => this.#close(systemError('ETIMEDOUT', 'no byte has come for too long')));
    this.#socket.on('error', (error) => this.#close(error));
    this.#socket.on('end', () => this.#close(cut()));
    this.#socket.on('close', () => this.#close(cut()));
  }

  /** Whether another request may be sent. */
  get isIdle(): boolean {
    return this.#isOpen && this.#exchange === undefined;
  }

  /**
   * Sends a request. The place of its answer is written to until `full` has settled.
   * @param request its lines, each character a byte
   * @param placeFor called once, when the head of the answer has come. The place has just as many bytes as the body
   * @returns undefined where there is no such answer; the connection is closed then
   */
  ask(request: string, placeFor: PlaceFor): Promise<Coming | undefined> {
    if (!this.isIdle) return Promise.resolve(undefined);
    const begun = Promise.withResolvers<Coming | undefined>();
    const full = Promise.withResolvers<void>();
    full.promise.catch(() => {
      // Told to whoever waits for it.
    });
    this.#exchange = { placeFor, begun, full, into: undefined, filled: 0, isLast: false };
    this.#socket.ref();
    this.#socket.setTimeout(this.#patience.answerMs);
    this.#socket.write(request, 'latin1');
    return begun.promise;
  }

  /** Closes the connection; nothing is written to anybody's memory any more. */
  close(): void {
    this.#close(cut());
  }

  /** Where the next bytes go; never empty. */
  #room(): Uint8Array {
    const exchange = this.#exchange;
    if (exchange?.into !== undefined && this.#isOpen) return exchange.into.subarray(exchange.filled);
    return this.#head.subarray(this.#headBytes);
  }

  /** Must not throw: nobody would catch it. */
  #came(bytes: number): true {
    const exchange = this.#exchange;
    if (!this.#isOpen) return true;
    if (exchange === undefined) {
      this.#close(new Error('an answer that nobody has asked for'));
    } else if (exchange.into === undefined) {
      this.#readHead(exchange, bytes);
    } else {
      exchange.filled += bytes;
    }
    if (exchange !== undefined && exchange.filled === exchange.into?.length) this.#full(exchange);
    return true;
  }

  #readHead(exchange: Exchange, bytes: number): void {
    const looked = Math.max(0, this.#headBytes - HEAD_END.length);
    this.#headBytes += bytes;
    const come = this.#head.subarray(0, this.#headBytes);
    const end = come.indexOf(HEAD_END, looked, 'latin1');
    if (end === -1) {
      if (come.length === MOST_HEAD_BYTES) this.#close(new Error('a head that is longer than any'));
      return;
    }
    const head = readAnswerHead(come.toString('latin1', 0, end));
    const body = come.subarray(end + HEAD_END.length);
    const { placeFor, begun, full } = exchange;
    const into = head && placeFor(head);
    if (head === undefined || into === undefined || !isOf(head, into.length) || body.length > into.length) {
      this.#close(new Error('an answer for somebody else to read'));
      return;
    }
    into.set(body);
    exchange.into = into;
    exchange.filled = body.length;
    exchange.isLast = !staysOpen(head);
    this.#headBytes = 0;
    this.#socket.setTimeout(this.#patience.bodyMs);
    begun.resolve({ full: full.promise });
  }

  #full({ full, isLast }: Exchange): void {
    this.#exchange = undefined;
    if (isLast) this.#close(cut());
    this.#socket.setTimeout(IDLE_MS);
    this.#socket.unref();
    full.resolve();
  }

  #close(error: Error): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.destroy();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#headBytes = 0;
    exchange?.begun.resolve(undefined);
    exchange?.full.reject(error);
  }
}

/** Whether the body has just so many bytes. https://www.rfc-editor.org/rfc/rfc9110#name-304-not-modified: it has none. */
function isOf(head: AnswerHead, bytes: number): boolean {
  return head.status === 304 ? bytes === 0 : hasLength(head, bytes);
}

function cut(): Error {
  return systemError('ECONNRESET', 'the connection has ended');
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
