import { cutToColumns } from './columns.ts';

const CLEAR_LINE = '\r\u001b[K';
/** Columns of a terminal that reports none, or 0. */
const DEFAULT_COLUMNS = 80;

/** The terminal that a StatusLine writes to: process.stderr. */
export interface Terminal {
  write(text: string): unknown;
  readonly columns?: number | undefined;
}

/** A line at the bottom of a terminal that is rewritten in place, with lines of log scrolling above it. */
export class StatusLine {
  readonly #terminal: Terminal;
  #text = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Shows `text`, cut to the terminal's width. An empty text clears the line. */
  set(text: string): void {
    const { columns = 0 } = this.#terminal;
    // A full last column makes some terminals wrap.
    const shown = cutToColumns(text, (columns > 0 ? columns : DEFAULT_COLUMNS) - 1);
    if (shown === this.#text) return;
    this.#text = shown;
    this.#terminal.write(`${CLEAR_LINE}${shown}`);
  }

  /** Writes a whole line above the status line. */
  print(line: string): void {
    this.#terminal.write(this.#text === '' ? `${line}\n` : `${CLEAR_LINE}${line}\n${this.#text}`);
  }
}
