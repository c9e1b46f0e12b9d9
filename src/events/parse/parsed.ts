import type { Dialect, ObjectEvent } from '../object-event.ts';

/** How keys are written in a message. `auto`: as its dialect does. */
export type KeyEncoding = 'auto' | 'form' | 'raw';

export interface ParseOptions {
  readonly keyEncoding: KeyEncoding;
}

/** What one record of a message says. */
export type ParsedRecord =
  /** An object was put or removed. */
  | { readonly outcome: 'event'; readonly event: ObjectEvent; readonly source: RecordSource }
  /**
   * Nothing that concerns the content of a bucket: done with at once. `name` is whatever the message says, printable and at most
   * 100 characters; as there may be any number of them, a label of a metric needs a limit of its own.
   */
  | { readonly outcome: 'ignored'; readonly dialect: Dialect; readonly name: string }
  /** To be parked: `reason` says in a sentence why it can't be understood. */
  | { readonly outcome: 'unparsable'; readonly reason: string; readonly source: RecordSource };

/** A message, and its records. */
export interface MessageParts {
  /** What the message says. Where its `Records` are a list, that may be empty here. */
  readonly value: unknown;
  /** Of that list. */
  readonly count: number;
  /** The record at `index`, as it was parsed. */
  record(index: number): unknown;
  source(index: number): RecordSource;
}

/** The record itself, for parking. */
export interface RecordSource {
  /** A message with this record alone: parsed, it gives the same again. Made only when it is needed. */
  body(): string;
}
