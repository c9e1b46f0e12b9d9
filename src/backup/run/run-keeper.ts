import type { Log } from '../../model/log.ts';
import type { RunRecord, RunRecords } from '../state/job-state.ts';

/** Between two writes of how far it is, in ms: each is synced to the disk. */
const PROGRESS_MS = 5000;

type Change = Partial<Omit<RunRecord, 'id'>>;

/** What is known of a run while it goes on: in memory, and in the state for others to see. */
export class RunKeeper {
  readonly #runs: RunRecords | undefined;
  readonly #log: Log;
  #record: RunRecord;
  #writtenMs = performance.now();

  /** @param runs undefined: there is no state to write to */
  constructor(
    begun: Pick<RunRecord, 'id' | 'startedMs' | 'type' | 'trigger'>,
    runs: RunRecords | undefined,
    log: Log,
  ) {
    this.#runs = runs;
    this.#log = log;
    const before = runs?.list().find(({ id }) => id === begun.id);
    this.#record = before ?? {
      ...begun,
      endedMs: undefined,
      stage: 'before',
      files: 0,
      bytes: 0,
      retries: 0,
      problems: 0,
      backups: [],
      error: undefined,
    };
    if (before === undefined) runs?.begin(begun);
    else this.update({ stage: 'before', endedMs: undefined, error: undefined });
  }

  get record(): RunRecord {
    return this.#record;
  }

  update(change: Change): void {
    this.#record = { ...this.#record, ...change };
    this.#writtenMs = performance.now();
    this.#runs?.update(this.#record.id, change);
  }

  /** Written now and then; never throws, for it is told from the middle of other work. */
  progress(change: Change): void {
    this.#record = { ...this.#record, ...change };
    if (performance.now() - this.#writtenMs < PROGRESS_MS) return;
    try {
      this.update(change);
    } catch (err) {
      this.#log.warn('how far a run is can not be kept', { err });
    }
  }

  retried(): void {
    this.progress({ retries: this.#record.retries + 1 });
  }
}
