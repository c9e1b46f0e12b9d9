import type { NotifyRule, Occasion } from '../job.ts';

/** Something that people are told. Every field is a text, for templates: `{job}`, `{error}`. No secret is in it. */
export interface Notice {
  readonly job: string;
  readonly occasion: Occasion;
  readonly run: string | undefined;
  readonly atMs: number;
  /** One line. */
  readonly title: string;
  readonly lines: readonly string[];
  readonly fields: Readonly<Record<string, string>>;
  /** What makes a failure the same as another one: code and target. The same is told at most every 6 h. */
  readonly sameness: string | undefined;
}

/** One way of telling. One try a call. */
export interface Notifier {
  readonly rule: NotifyRule;
  /** Resolves when the other side has taken it: a status of 2xx, and of WeCom and DingTalk an `errcode` of 0. */
  send(notice: Notice, signal: AbortSignal): Promise<void>;
}

/** Where notices go: a queue on the disk. Never throws, never waits for a network. */
export interface Notices {
  tell(notice: Notice): void;
}
