import type { Log, LogFields } from '../../model/log.ts';

/** The same warning is written again after this long, in ms, with how often it came meanwhile. */
const REPEAT_MS = 60_000;
/** Kinds of warnings that are told apart: codes of errors, of which there are fewer. */
const MOST_KINDS = 64;

/** Warnings that any request can cause, each kind once a minute. */
export class RepeatedLog {
  readonly #log: Log;
  readonly #written = new Map<string, { readonly atMs: number; more: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** `kind` is one of a few texts of ours. */
  warn(kind: string, message: string, fields: LogFields): void {
    const atMs = performance.now();
    const before = this.#written.get(kind);
    if (before !== undefined && atMs - before.atMs < REPEAT_MS) {
      before.more += 1;
      return;
    }
    if (before === undefined && this.#written.size >= MOST_KINDS) return;
    this.#written.set(kind, { atMs, more: 0 });
    this.#log.warn(message, { ...fields, suppressed: before?.more ?? 0 });
  }
}
