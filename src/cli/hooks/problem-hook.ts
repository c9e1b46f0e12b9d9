import type { AlarmListener } from '../../observe/status/alarms.ts';
import type { Alarm } from '../../observe/status/report.ts';
import { type HookOwner, problemNotice } from '../../notices/hook-notices.ts';
import type { NoticeQueue } from '../../notices/notice-queue.ts';

/** What comes and goes is told at most this often, in ms, and then as it stands. */
const SETTLE_MS = 60_000;
/** Alarms that a process before this one has told, and that are not raised within this time (ms), are over. */
const START_MS = 120_000;
/** In front of the names under which it is remembered which alarms were told. */
const TOLD = 'alarm ';

export interface ProblemHookOptions {
  readonly owner: HookOwner;
  readonly queue: Pick<NoticeQueue, 'tell' | 'since' | 'set' | 'conditions'>;
  /** In ms. Default {@link SETTLE_MS} and {@link START_MS}. */
  readonly settleMs?: number | undefined;
  readonly startMs?: number | undefined;
}

/** Tells when an alarm is raised and when it is over; each once, also over restarts. No call throws or waits. */
export class ProblemHook implements Disposable {
  readonly #options: ProblemHookOptions;
  readonly #standing = new Map<string, Alarm>();
  /** Alarms that were told a moment ago. */
  readonly #settling = new Map<string, NodeJS.Timeout>();
  readonly #start: NodeJS.Timeout;

  constructor(options: ProblemHookOptions) {
    this.#options = options;
    this.#start = setTimeout(() => this.#forgetOld(), options.startMs ?? START_MS).unref();
  }

  readonly changed: AlarmListener = ({ kind, alarm }) => {
    const key = keyOf(alarm);
    if (kind === 'raised') this.#standing.set(key, alarm);
    else this.#standing.delete(key);
    if (!this.#settling.has(key)) this.#tell(key, alarm);
  };

  [Symbol.dispose](): void {
    clearTimeout(this.#start);
    for (const timer of this.#settling.values()) clearTimeout(timer);
  }

  #tell(key: string, alarm: Alarm): void {
    const { owner, queue, settleMs = SETTLE_MS } = this.#options;
    const stands = this.#standing.get(key);
    const nowMs = Date.now();
    if ((queue.since(TOLD + key) !== undefined) === (stands !== undefined)) return;
    queue.tell(problemNotice(owner, stands === undefined ? 'solved' : 'problem', stands ?? alarm, nowMs));
    queue.set(TOLD + key, stands === undefined ? undefined : nowMs);
    const again = (): void => {
      this.#settling.delete(key);
      this.#tell(key, alarm);
    };
    this.#settling.set(key, setTimeout(again, settleMs).unref());
  }

  #forgetOld(): void {
    for (const name of this.#options.queue.conditions(TOLD)) {
      // Behind the first line end all is subject.
      const [code = '', subject = ''] = name.slice(TOLD.length).split(/\n(.*)/s);
      const over = { code, subject, severity: 'warning', text: 'it is over', cure: '', since: '' } as const;
      if (!this.#settling.has(keyOf(over))) this.#tell(keyOf(over), over);
    }
  }
}

/** No code has a line end. */
function keyOf({ code, subject }: Pick<Alarm, 'code' | 'subject'>): string {
  return `${code}\n${subject}`;
}
