import type { Log } from '../../../model/log.ts';

/** Lines of all scripts in the log: so many at once, and then so many a second. One has at most 1,000 characters. */
const BURST_LINES = 2000;
const LINES_A_SECOND = 100;

/** Passes on what scripts print, as far as the log has room for it. */
export class ScriptOutput {
  readonly #now: () => number;
  #room = BURST_LINES;
  #filledAtMs: number;
  #unsaid = 0;

  /** @param now monotonic, in ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#filledAtMs = now();
  }

  line(log: Log, stream: 'stdout' | 'stderr', line: string): void {
    if (!this.#take()) this.#unsaid += 1;
    else if (stream === 'stdout') log.info('script', { stdout: line, ...this.#said() });
    else log.warn('script', { stderr: line, ...this.#said() });
  }

  /** Tells that a run printed more lines than one may. */
  dropped(log: Log, lines: number): void {
    if (lines === 0) return;
    if (this.#take()) log.warn('script: it printed more than is kept', { lines, ...this.#said() });
    else this.#unsaid += lines;
  }

  /** Lines left out since the last one, of any script. */
  #said(): { readonly unsaid?: number } {
    const unsaid = this.#unsaid;
    this.#unsaid = 0;
    return unsaid === 0 ? {} : { unsaid };
  }

  #take(): boolean {
    const now = this.#now();
    this.#room = Math.min(BURST_LINES, this.#room + ((now - this.#filledAtMs) / 1000) * LINES_A_SECOND);
    this.#filledAtMs = now;
    if (this.#room < 1) return false;
    this.#room -= 1;
    return true;
  }
}
