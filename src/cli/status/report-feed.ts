import type { Log } from '../../model/log.ts';
import type { StatusReport } from '../../observe/status/report.ts';
import { changeOf } from '../../observe/status/report-change.ts';
import type { StatusBoard } from '../../observe/status/status-board.ts';

/** Between two reports, in ms: with its way to the page, what happens is there within a second. */
const EVERY_MS = 800;
/** Pages that are open at a time: a team's. Each costs a copy of what has changed, each time. */
export const MAX_LISTENERS = 32;

/**
 * The report of a board as server-sent events: first `report`, a StatusReport, then again and again `change`, a ReportChange, or
 * `report` again where too much is different. https://html.spec.whatwg.org/multipage/server-sent-events.html
 *
 * Reports are made only while somebody listens, once for all. A listener has nothing queued: one that reads slowly is told the
 * newest report once it has taken what it was told before, so that it costs no more than others.
 */
export class ReportFeed {
  readonly #board: Pick<StatusBoard, 'report'>;
  readonly #log: Log;
  readonly #everyMs: number;
  readonly #listeners = new Set<Listener>();
  #told: Told | undefined;
  #timer: NodeJS.Timeout | undefined;
  #next = Promise.withResolvers<void>();
  #isOver = false;

  /** @param everyMs for tests */
  constructor(board: Pick<StatusBoard, 'report'>, log: Log, everyMs = EVERY_MS) {
    this.#board = board;
    this.#log = log;
    this.#everyMs = everyMs;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /**
   * Undefined where too many listen. The events end when the feed does, or are ended by `return`.
   * @param signal fires when the listener has left
   */
  listen(signal: AbortSignal): AsyncIterable<Uint8Array> | undefined {
    if (this.#listeners.size >= MAX_LISTENERS || this.#isOver || signal.aborted) return undefined;
    const listener: Listener = { hasLeft: false };
    const leave = (): void => this.#leave(listener);
    signal.addEventListener('abort', leave, { once: true });
    this.#enter(listener);
    const events = this.#events(listener);
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => events.next(),
        return: async () => {
          leave();
          return { done: true, value: undefined };
        },
      }),
    };
  }

  /** Ends all events, so that browsers know at once. */
  end(): void {
    this.#isOver = true;
    for (const listener of this.#listeners) this.#leave(listener);
    this.#wake();
  }

  async *#events(listener: Listener): AsyncGenerator<Uint8Array, undefined> {
    let known: Told | undefined;
    while (!listener.hasLeft) {
      const told = this.#told;
      if (told !== undefined && told !== known) {
        const isNext = known !== undefined && told.before === known.report;
        known = told;
        yield isNext ? told.change() : told.whole();
      } else await this.#next.promise;
    }
    return undefined;
  }

  #enter(listener: Listener): void {
    this.#listeners.add(listener);
    if (this.#timer !== undefined) return;
    this.#look();
    this.#timer = setInterval(() => this.#look(), this.#everyMs);
  }

  #leave(listener: Listener): void {
    listener.hasLeft = true;
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#told = undefined;
    }
    this.#wake();
  }

  #look(): void {
    try {
      this.#told = told(this.#told?.report, this.#board.report());
    } catch (err) {
      // A page must not end the work that it shows.
      this.#log.error('fault in a status report', { err });
    }
    this.#wake();
  }

  #wake(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }
}

interface Listener {
  hasLeft: boolean;
}

interface Told {
  readonly report: StatusReport;
  /** What `change` begins with. */
  readonly before: StatusReport | undefined;
  /** Each is made for the first listener that needs it. */
  readonly whole: () => Uint8Array;
  readonly change: () => Uint8Array;
}

function told(before: StatusReport | undefined, report: StatusReport): Told {
  const whole = once(() => event('report', report));
  const change = once(() => {
    const found = before && changeOf(before, report);
    return found === undefined ? whole() : event('change', found);
  });
  return { report, before, whole, change };
}

function once(make: () => Uint8Array): () => Uint8Array {
  let made: Uint8Array | undefined;
  return () => (made ??= make());
}

/** JSON has no line breaks outside of its strings, and none that are not escaped within. */
function event(name: string, told: object): Uint8Array {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(told)}\n\n`);
}
