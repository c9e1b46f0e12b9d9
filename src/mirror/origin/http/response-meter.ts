import type { Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';
/** Of the status line: `HTTP/1.1 1`. */
const STATUS_START = 10;

/**
 * Counts what comes on a connection behind the head of the response: also what a parser of HTTP no longer takes for its body, and
 * drops. So a body that is longer than it says is noticed.
 */
export class ResponseMeter {
  /** Bytes behind the head of the present response. */
  bodyBytes = 0;
  #inBody = false;
  #start = '';
  /** The last bytes of a head that has not ended. */
  #tail = '';

  constructor(socket: Socket) {
    const push = socket.push.bind(socket);
    // Node hands each piece to the stream by this method, once, when it comes.
    socket.push = (piece: unknown, encoding?: BufferEncoding) => {
      if (Buffer.isBuffer(piece)) this.#take(piece);
      return push(piece, encoding);
    };
  }

  /** Another request is going to be sent. */
  begin(): void {
    this.bodyBytes = 0;
    this.#inBody = false;
    this.#start = '';
    this.#tail = '';
  }

  #take(piece: Buffer): void {
    if (this.#inBody) {
      this.bodyBytes += piece.length;
      return;
    }
    if (this.#start.length < STATUS_START)
      this.#start += piece.toString('latin1', 0, STATUS_START - this.#start.length);
    const text = this.#tail + piece.toString('latin1');
    const end = text.indexOf(HEAD_END);
    if (end === -1) {
      this.#tail = text.slice(1 - HEAD_END.length);
      return;
    }
    // Behind an interim response (1xx) another head follows.
    const isInterim = this.#start.endsWith(' 1');
    this.begin();
    this.#inBody = !isInterim;
    const rest = piece.subarray(end + HEAD_END.length - (text.length - piece.length));
    if (rest.length > 0) this.#take(rest);
  }
}
