import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case; of repeated ones the last. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes. */
  readonly bodyLength: number;
}

/** Sends requests byte for byte over one connection after the other, and reads what comes back. */
export class RawClient implements Disposable {
  readonly #port: number;
  #socket: Socket | undefined;
  #received = '';
  #isEnded = true;
  #wake: (() => void) | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /**
   * Sends `text`, whose last request must say so if it is HEAD, and resolves with the first answer. Undefined where the connection
   * ends without one.
   */
  async ask(text: string, isHead = false): Promise<RawAnswer | undefined> {
    await this.#connected();
    this.#socket?.write(Buffer.from(text, 'utf8'));
    const answer = await this.#answer(isHead);
    if (answer === undefined || answer.headers['connection']?.toLowerCase() === 'close') await this.#close();
    return answer;
  }

  /** Sends `text`, which ends the connection in one way or the other, and resolves with all answers to it. */
  async askAll(text: string): Promise<readonly RawAnswer[]> {
    await this.#close();
    await this.#connected();
    this.#socket?.write(Buffer.from(text, 'utf8'));
    const answers: RawAnswer[] = [];
    for (let answer = await this.#answer(false); answer !== undefined; answer = await this.#answer(false))
      answers.push(answer);
    await this.#close();
    return answers;
  }

  [Symbol.dispose](): void {
    this.#socket?.destroy();
  }

  async #connected(): Promise<void> {
    if (!this.#isEnded) return;
    const socket = connect(this.#port, '127.0.0.1').setEncoding('latin1');
    await once(socket, 'connect');
    this.#socket = socket;
    this.#received = '';
    this.#isEnded = false;
    const ended = (): void => {
      if (this.#socket === socket) this.#isEnded = true;
      this.#wake?.();
    };
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#wake?.();
    });
    socket.on('end', ended).on('close', ended).on('error', ended);
  }

  async #answer(isHead: boolean): Promise<RawAnswer | undefined> {
    for (;;) {
      const answer = this.#parsed(isHead);
      if (answer !== undefined || this.#isEnded) return answer;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #parsed(isHead: boolean): RawAnswer | undefined {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end === -1) return undefined;
    const [line = '', ...lines] = this.#received.slice(0, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1] ?? NaN);
    const headers = Object.fromEntries(
      lines.map((each) => {
        const colon = each.indexOf(':');
        return [each.slice(0, colon).toLowerCase(), each.slice(colon + 1).trim()];
      }),
    );
    const hasNone = isHead || status === 204 || status === 304;
    const bodyLength = hasNone ? 0 : Number(headers['content-length'] ?? NaN);
    if (Number.isNaN(bodyLength))
      throw new Error(`an answer without a length: ${this.#received.slice(0, end)}`);
    if (this.#received.length < end + 4 + bodyLength) return undefined;
    this.#received = this.#received.slice(end + 4 + bodyLength);
    return { status, headers, bodyLength };
  }

  async #close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isEnded = true;
    if (socket === undefined || socket.closed) return;
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
  }
}
