const CLEAR_LINE = '\r\u001b[K';
/** Columns where the terminal does not tell, or tells 0. */
const DEFAULT_COLUMNS = 80;

/** What a StatusLine writes to: process.stderr, where that is a terminal. */
export interface Screen {
  write(text: string): unknown;
  readonly columns?: number | undefined;
}

/** One line at the bottom of a terminal that is written over and over, with lines of log scrolling above it. */
export class StatusLine {
  readonly #screen: Screen;
  #text = '';

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** Shows `text` cut to the terminal's width; an empty one takes the line away. */
  set(text: string): void {
    const { columns = 0 } = this.#screen;
    // A full last column makes some terminals wrap.
    const shown = text.slice(0, (columns > 0 ? columns : DEFAULT_COLUMNS) - 1);
    if (shown === this.#text) return;
    this.#text = shown;
    this.#screen.write(`${CLEAR_LINE}${shown}`);
  }

  /** Writes a whole line above. */
  print(line: string): void {
    this.#screen.write(this.#text === '' ? `${line}\n` : `${CLEAR_LINE}${line}\n${this.#text}`);
  }
}
