import type { NotifyRule, Occasion } from './rule.ts';

/** Something that people are told. Every field is a text, for templates: `{job}`, `{error}`. No secret is in it. */
export interface Notice {
  readonly job: string;
  readonly occasion: Occasion;
  readonly run: string | undefined;
  readonly atMs: number;
  /** One line. */
  readonly title: string;
  readonly lines: readonly string[];
  readonly fields: Readonly<Partial<Record<NoticeField, string>>>;
  /** What makes a failure the same as another one: code and target. The same is told at most every 6 h. */
  readonly sameness: string | undefined;
}

/** What a template may name. Not every notice has all of them. */
export const NOTICE_FIELDS = [
  'job',
  'occasion',
  'run',
  /** UTC, `2025-04-05T12:00:00.000Z`. */
  'time',
  'host',
  'title',
  /** All lines. */
  'text',
  'type',
  /** Names of the backups that were made, with ", " between. */
  'backups',
  'files',
  /** A number; `size` is the same for people. */
  'bytes',
  'size',
  /** For people: `2m05s`. */
  'duration',
  /** The same in seconds. */
  'seconds',
  'problems',
  'retries',
  'code',
  'error',
  /** Of the newest complete backup, for people; empty where there is none. */
  'age',
  /** `scan` or `receive`. */
  'command',
  'device',
  /** Name of the data directory. */
  'directory',
  /** What a problem is about: a device, a directory, a file; empty for the whole command. */
  'subject',
  /** `warning` or `critical`. */
  'severity',
  /** What to do about a problem. */
  'cure',
  /** UTC, since when there is the problem. */
  'since',
] as const;

export type NoticeField = (typeof NOTICE_FIELDS)[number];

/** One way of telling. One try a call. */
export interface Notifier {
  readonly rule: NotifyRule;
  /**
   * Resolves when the other side has taken it: a status of 2xx, and of WeCom and DingTalk an `errcode` of 0.
   * @throws IsyncError NOTICE_FAILED, UNREACHABLE; the reason of the signal
   */
  send(notice: Notice, signal: AbortSignal): Promise<void>;
}

/** Where notices go: a queue on the disk. Never throws, never waits for a network. */
export interface Notices {
  tell(notice: Notice): void;
}
