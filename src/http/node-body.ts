import type { IncomingMessage } from 'node:http';
import { HttpError } from './handler.ts';

interface Reader {
  readonly resolve: (result: IteratorResult<Uint8Array, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The body of a request, chunk by chunk: see {@link HttpRequest.body}. Node's own iterator of a stream takes as long as all else
 * that a small request needs.
 */
export class NodeBody implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #incoming: IncomingMessage;
  readonly #most: number;
  /** Read, and not asked for yet: the stream pauses while there is one. */
  readonly #chunks: Uint8Array[] = [];
  #size = 0;
  #isReading = false;
  #isOver = false;
  #fault: HttpError | undefined;
  #reader: Reader | undefined;

  constructor(incoming: IncomingMessage, most: number) {
    this.#incoming = incoming;
    this.#most = most;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#isReading) this.#read();
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      if (this.#chunks.length === 0) this.#incoming.resume();
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    if (this.#isOver) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => (this.#reader = { resolve, reject }));
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#isReading = true;
    this.#chunks.length = 0;
    this.#end();
    return Promise.resolve(DONE);
  }

  #read(): void {
    const incoming = this.#incoming;
    this.#isReading = true;
    if (Number(incoming.headers['content-length'] ?? 0) > this.#most) this.#end(tooLarge(this.#most));
    else if (incoming.readableEnded) this.#end();
    else if (incoming.destroyed) this.#cut(incoming.errored);
    else
      incoming
        .on('data', (chunk) => this.#add(chunk))
        .on('end', () => this.#end())
        .on('error', (error) => this.#cut(error))
        .on('close', () => this.#cut(incoming.errored));
  }

  #add(chunk: unknown): void {
    // What is left is dropped.
    if (this.#isOver || !(chunk instanceof Uint8Array)) return;
    this.#size += chunk.length;
    if (this.#size > this.#most) return this.#end(tooLarge(this.#most));
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) return reader.resolve({ done: false, value: chunk });
    this.#chunks.push(chunk);
    this.#incoming.pause();
  }

  /** Each request is closed in the end, so that no error is made of it unless it is one. */
  #cut(cause: unknown): void {
    if (!this.#isOver) this.#end(new HttpError(400, 'the body was cut', { cause }));
  }

  /** The first end counts. */
  #end(fault?: HttpError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#fault = fault;
    // What is left is read and dropped until the deadline of the request: only then can the connection serve another one.
    this.#incoming.resume();
    const reader = this.#reader;
    this.#reader = undefined;
    if (fault === undefined) reader?.resolve(DONE);
    else reader?.reject(fault);
  }
}

const DONE = { done: true, value: undefined } as const;

function tooLarge(most: number): HttpError {
  return new HttpError(413, `the body is larger than ${most} bytes`);
}
