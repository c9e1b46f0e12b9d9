import { type ErrorCode, type IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { Log, LogFields } from '../../model/log.ts';
import type { KeyMap } from '../match/key-map.ts';
import { type ObjectEvent, withoutFutureTime } from '../object-event.ts';
import type { Parking } from '../parking/parking.ts';
import type { ParsedRecord, RecordSource } from '../parse/parsed.ts';
import type { Item, Lanes, Result } from './lanes.ts';
import type { PullObserver } from './work-observer.ts';

/** What a record means for the message that it came in. */
export type Verdict =
  | 'settled'
  /** Durably parked: done with, until a person looks at it. */
  | 'parked'
  /** Below no prefix of ours: perhaps for another machine. */
  | 'unmatched'
  /** Not done because of trouble that passes by itself. */
  | 'later'
  /** Failed for good, and the queue itself has a place for such messages. */
  | 'refused'
  /** This process ends. */
  | 'stopped';

/** Where records come from: a message of a queue, a parked record, a comparison with the bucket. */
export interface Origin {
  readonly messageId: string;
  readonly attempt: number;
  /** See {@link Item}. */
  readonly staysMs: number;
  /** Whether what fails for good is left to the queue, not parked. */
  readonly hasRedrive: boolean;
}

export interface RecordsOptions {
  readonly lanes: Lanes;
  readonly keys: KeyMap;
  /** Events of other buckets are parked. Default: any. */
  readonly buckets: ReadonlySet<string> | undefined;
  readonly parking: Parking;
  /** Told why a record is left undone; `what` stands for its key, or for its message where no key can be read. */
  readonly failed: (what: string, error: IsyncError) => void;
  /** Told of each record that is done or parked. */
  readonly settled: (what: string) => void;
  readonly observer: PullObserver;
  readonly log: Log;
}

/** Takes records one by one to what becomes of them. */
export class Records {
  readonly #options: RecordsOptions;

  constructor(options: RecordsOptions) {
    this.#options = options;
  }

  /** Rejects where something can't be parked, or a change can't be kept: then the record is not settled. */
  async take(record: ParsedRecord, origin: Origin): Promise<Verdict> {
    try {
      return await this.#take(record, origin);
    } catch (thrown) {
      const error = toIsyncError(thrown, 'INTERNAL');
      this.#options.failed(record.outcome === 'event' ? whatOf(record.event) : origin.messageId, error);
      throw error;
    }
  }

  async #take(record: ParsedRecord, origin: Origin): Promise<Verdict> {
    const { observer, log } = this.#options;
    switch (record.outcome) {
      case 'ignored':
        observer.received(record.dialect, 'ignored');
        observer.ignored(record.name);
        log.debug('ignored', { ...fieldsOf(origin), name: record.name });
        return 'settled';
      case 'unparsable':
        observer.received('unknown', 'unparsable');
        return this.#park(record.source, origin, { code: 'EVENT_INVALID', reason: record.reason });
      case 'event':
        observer.received(record.event.dialect, record.event.kind);
        return this.#takeEvent(withoutFutureTime(record.event), record.source, origin);
    }
  }

  async #takeEvent(event: ObjectEvent, source: RecordSource, origin: Origin): Promise<Verdict> {
    const { buckets, keys, observer, log } = this.#options;
    const park = (why: Why): Promise<Verdict> => this.#park(source, origin, why, event);
    if (buckets?.has(event.bucket) === false)
      return park({
        code: 'EVENT_INVALID',
        reason: `the bucket "${event.bucket}" is none of those that are followed`,
        hint: 'Add it to "buckets", or point its notification elsewhere; then: isync pull parked replay.',
      });
    const target = keys.targetOf(event.key);
    switch (target.kind) {
      case 'unmatched':
        observer.unmatched();
        log.debug('below no prefix', fieldsOf(origin, event));
        return 'unmatched';
      case 'root':
        log.debug('the mapped folder itself', fieldsOf(origin, event));
        return 'settled';
      case 'refused':
        return park({ code: 'BAD_PATH', reason: `the key ${target.reason}` });
      case 'file':
      case 'folder': {
        const result = await this.#look({ ...target, event }, origin);
        return this.#judge(result, { ...target, event }, origin, park);
      }
    }
  }

  #look(task: Item['task'], { staysMs }: Origin): Promise<Result> {
    return new Promise((settle) => this.#options.lanes.add({ task, staysMs, settle }));
  }

  async #judge(
    result: Result,
    task: Item['task'],
    origin: Origin,
    park: (why: Why) => Promise<Verdict>,
  ): Promise<Verdict> {
    const { event } = task;
    const { observer, log, parking, failed, settled } = this.#options;
    const fields = fieldsOf(origin, event);
    if (result.kind === 'stopped') return 'stopped';
    if (result.kind === 'failed') {
      const { code, message, hint, retryable } = result.error;
      log.warn(`not done: ${message}`, { ...fields, code, ...(hint !== undefined && { hint }) });
      if (retryable || origin.hasRedrive) {
        failed(whatOf(event), result.error);
        return retryable ? 'later' : 'refused';
      }
      return park({ code, reason: message, hint });
    }
    const { outcome } = result;
    observer.done(event.kind, outcome.outcome, outcome.outcome === 'written' ? outcome.bytes : 0);
    if (outcome.outcome === 'parked') return park(outcome);
    const isChange = outcome.outcome === 'written' || outcome.outcome === 'removed';
    if (isChange && event.timeMs !== undefined) observer.lag(Math.max(0, Date.now() - event.timeMs));
    await parking.settled(event.bucket, event.key);
    settled(whatOf(event));
    log.info(outcome.outcome, fields);
    return 'settled';
  }

  /**
   * Parks a record, also where the queue has a redrive policy: only what fails is left to that. Another delivery would not make
   * a body readable, a key safe, a path free or an archived object restored.
   */
  async #park(source: RecordSource, origin: Origin, why: Why, event?: ObjectEvent): Promise<Verdict> {
    const { parking, observer, log, settled } = this.#options;
    const { code, reason, hint } = why;
    await parking.park({
      messageId: origin.messageId,
      code,
      reason,
      hint,
      bucket: event?.bucket,
      key: event?.key,
      body: source.body(),
    });
    observer.parked();
    settled(event === undefined ? origin.messageId : whatOf(event));
    log.warn(`parked: ${reason}`, {
      ...fieldsOf(origin, event),
      code,
      ...(hint !== undefined && { hint }),
    });
    return 'parked';
  }
}

function whatOf({ bucket, key }: ObjectEvent): string {
  return `s3://${bucket}/${key}`;
}

/** What each line about a record has. */
function fieldsOf({ messageId, attempt }: Origin, event?: ObjectEvent): LogFields {
  return {
    message: messageId,
    attempt,
    ...(event !== undefined && { bucket: event.bucket, key: event.key }),
  };
}

interface Why {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint?: string | undefined;
}
