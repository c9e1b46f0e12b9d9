import { StringDecoder } from 'node:string_decoder';

/** Longest line of a command in the log, in characters; what is behind is left out. */
const MAX_LINE_LENGTH = 1000;
/** Most lines of one run in the log, of both streams together. */
const MAX_LINES = 200;
const NEWLINE = 0x0a;

/** Cuts what a command prints into lines: bounded in length and number, whatever it prints. */
export class OutputLines {
  readonly #told: (line: string) => void;
  readonly #left: { lines: number; dropped: number };
  readonly #decoder = new StringDecoder('utf8');
  #line = '';

  constructor(told: (line: string) => void, left = OutputLines.bound()) {
    this.#told = told;
    this.#left = left;
  }

  /** What several streams of one run share. */
  static bound(): { lines: number; dropped: number } {
    return { lines: MAX_LINES, dropped: 0 };
  }

  write(bytes: Buffer): void {
    if (this.#left.lines === 0) return this.#drop(bytes);
    const [first = '', ...more] = this.#decoder.write(bytes).split('\n');
    this.#add(first);
    for (const text of more) {
      this.#end();
      this.#add(text);
    }
  }

  /** Tells a last line without an end. */
  end(): void {
    if (this.#line !== '') this.#end();
  }

  /** Only counts: whoever prints without end must not take our CPU. */
  #drop(bytes: Buffer): void {
    for (const byte of bytes) if (byte === NEWLINE) this.#left.dropped++;
    this.#line = bytes.at(-1) === NEWLINE ? '' : 'more';
  }

  #add(text: string): void {
    // One more than is shown, so that the end knows that something was cut.
    if (this.#line.length <= MAX_LINE_LENGTH) this.#line += text.slice(0, MAX_LINE_LENGTH + 1);
  }

  #end(): void {
    const line = this.#line.replace(/\r$/, '');
    this.#line = '';
    if (this.#left.lines === 0) {
      this.#left.dropped++;
      return;
    }
    this.#left.lines--;
    this.#told(line.length > MAX_LINE_LENGTH ? `${line.slice(0, MAX_LINE_LENGTH)}…` : line);
  }
}
