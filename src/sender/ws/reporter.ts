import { encode } from '../../protocol/codec.ts';
import { REPORT_AT_LEAST_MS, REPORT_MS } from '../../protocol/limits.ts';
import { formatReport, type DeviceReport } from '../../protocol/report.ts';

/** Reports longer than this, in bytes, go more rarely: with problems in them they would fill a thin link. */
const LONG_BYTES = 1024;
/** Least time between two of those, in ms: half a kilobyte a second at most. */
const LONG_MS = 15_000;

/** Says when a session has a report to send: at once, then at changes and after a while, never many. */
export class Reporter implements Disposable {
  readonly #report: () => DeviceReport;
  readonly #onDue: () => void;
  readonly #timer: NodeJS.Timeout;
  #due: Buffer | undefined;
  #last: { readonly facts: string; readonly bytes: number; readonly atMs: number } | undefined;

  /** @param onDue called when there is one to take */
  constructor(report: () => DeviceReport, onDue: () => void) {
    this.#report = report;
    this.#onDue = onDue;
    this.#timer = setInterval(() => this.#look(), REPORT_MS);
    this.#look();
  }

  /** The message that is due, once. */
  take(): Buffer | undefined {
    const due = this.#due;
    this.#due = undefined;
    return due;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const report = this.#report();
    const nowMs = performance.now();
    const sinceMs = nowMs - (this.#last?.atMs ?? -Infinity);
    // An age grows by itself at the receiver as well.
    const facts = JSON.stringify({ ...report, oldestSeconds: report.oldestSeconds !== undefined });
    if (facts === this.#last?.facts && sinceMs < REPORT_AT_LEAST_MS) return;
    if ((this.#last?.bytes ?? 0) > LONG_BYTES && sinceMs < LONG_MS) return;
    const bytes = encode({ type: 'report', json: formatReport(report) });
    this.#last = { facts, bytes: bytes.length, atMs: nowMs };
    this.#due = bytes;
    this.#onDue();
  }
}
