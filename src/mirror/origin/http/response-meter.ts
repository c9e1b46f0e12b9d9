import type { Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';
/** Bytes that tell an interim response from one that says something: `HTTP/1.1 100 `. */
const START_BYTES = 13;
/** The one that undici cuts the connection for where it was not asked for; a client must bear it: RFC 9110, 15.2. */
const CONTINUE = /^HTTP\/1\.[01] 100[ \r]$/;
const INTERIM = /^HTTP\/1\.[01] 1/;

/**
 * Stands between a connection and its parser. Counts what comes behind the head of the response: also what a parser of HTTP no
 * longer takes for its body, and drops, so that a body that is longer than it says is noticed. A `100 Continue` is taken out.
 */
export class ResponseMeter {
  /** Bytes behind the head of the present response. */
  bodyBytes = 0;
  /** Of the present head, {@link START_BYTES} at most. */
  #start = Buffer.alloc(0);
  #part: 'start' | 'head' | 'body' = 'start';
  /** The last bytes of a head that has not ended. */
  #tail = '';

  constructor(socket: Socket) {
    const push = socket.push.bind(socket);
    // Node hands each piece to the stream by this method, once, when it comes.
    socket.push = (piece: unknown, encoding?: BufferEncoding) => {
      if (Buffer.isBuffer(piece)) return push(this.#passed(piece));
      if (piece === null && this.#part === 'start' && this.#start.length > 0) push(this.#start);
      return push(piece, encoding);
    };
  }

  /** Another request is going to be sent. */
  begin(): void {
    this.bodyBytes = 0;
    this.#beginHead();
  }

  #beginHead(): void {
    this.#part = 'start';
    this.#start = Buffer.alloc(0);
    this.#tail = '';
  }

  /** What the parser gets of a piece, and of those that were held back before. */
  #passed(piece: Buffer): Buffer {
    if (this.#part === 'body') {
      this.bodyBytes += piece.length;
      return piece;
    }
    if (this.#part === 'head') return this.#inHead(piece);
    const held = this.#start.length === 0 ? piece : Buffer.concat([this.#start, piece]);
    this.#start = Buffer.from(held.subarray(0, START_BYTES));
    if (held.length < START_BYTES) return Buffer.alloc(0);
    this.#part = 'head';
    return this.#inHead(held);
  }

  #inHead(piece: Buffer): Buffer {
    const text = this.#tail + piece.toString('latin1');
    const end = text.indexOf(HEAD_END);
    const start = this.#start.toString('latin1');
    const isDropped = CONTINUE.test(start);
    if (end === -1) {
      this.#tail = text.slice(1 - HEAD_END.length);
      return isDropped ? Buffer.alloc(0) : piece;
    }
    const headBytes = end + HEAD_END.length - (text.length - piece.length);
    const rest = piece.subarray(headBytes);
    // Behind an interim response (1xx) another head follows.
    if (INTERIM.test(start)) this.#beginHead();
    else this.#part = 'body';
    const passed = rest.length === 0 ? rest : this.#passed(rest);
    if (isDropped) return passed;
    // As it came, where nothing was taken out or held back.
    if (passed.length === rest.length) return piece;
    return Buffer.concat([piece.subarray(0, headBytes), passed]);
  }
}
