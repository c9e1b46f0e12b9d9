import type { ToldError } from '../../../model/told-error.ts';
import type { DeadMessage, QueueCounts, QueueMessage } from '../event-queue.ts';

/** What the thread that has the file is asked for. All commands that wait when it begins are one transaction. */
export type Command =
  | { readonly do: 'publish'; readonly messages: readonly QueueMessage[] }
  /** Answered at once, also with none. */
  | { readonly do: 'take'; readonly limit: number }
  | { readonly do: 'ack'; readonly seq: number }
  | { readonly do: 'release'; readonly seq: number; readonly delayMs: number; readonly failures: number }
  | { readonly do: 'bury'; readonly seq: number; readonly reason: string }
  /** Everything in hand. */
  | { readonly do: 'giveBack' }
  | { readonly do: 'counts' }
  /** A page, from behind `after`. */
  | { readonly do: 'dead'; readonly after: number }
  | { readonly do: 'deadOf'; readonly id: string }
  | { readonly do: 'replay'; readonly id: string }
  | { readonly do: 'drop'; readonly id: string };

/** A message as it was taken. */
export interface TakenMessage extends QueueMessage {
  /** What the file knows it by: never used for another one. */
  readonly seq: number;
  readonly attempt: number;
  /** For good. */
  readonly failures: number;
  readonly sentMs: number;
}

export interface Taken {
  readonly messages: readonly TakenMessage[];
  /** Where there are none: how long it is until the first delay is over, in ms. */
  readonly dueInMs: number | undefined;
}

export interface DeadPage {
  readonly messages: readonly DeadMessage[];
  /** To go on from; undefined where this was the last page. */
  readonly next: number | undefined;
}

/** What each command is answered with. */
export interface Answers {
  readonly publish: undefined;
  readonly take: Taken;
  readonly ack: undefined;
  readonly release: undefined;
  readonly bury: undefined;
  readonly giveBack: undefined;
  readonly counts: QueueCounts;
  readonly dead: DeadPage;
  readonly deadOf: DeadMessage | undefined;
  readonly replay: number;
  readonly drop: number;
}

export interface Call {
  readonly call: number;
  readonly command: Command;
}

/** To the thread: commands, or the last word, after which it closes the file and ends. */
export type Asked = readonly Call[] | 'close';

/** From the thread: whether the file could be opened, then answers, all of one transaction in one. */
export type Told =
  { readonly opened: true } | { readonly failed: ToldError } | { readonly answers: readonly Answer[] };

export type Answer =
  | { readonly call: number; readonly value: Answers[keyof Answers] }
  | { readonly call: number; readonly error: ToldError };

/** What the thread is started with. */
export interface ThreadOptions {
  readonly path: string;
  readonly works: boolean;
  readonly maxMessages: number;
  readonly minFreeBytes: number;
}
