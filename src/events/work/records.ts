import { type ErrorCode, type IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { Log, LogFields } from '../../model/log.ts';
import type { Action } from '../action/action.ts';
import { type ObjectEvent, withoutFuture } from '../object-event.ts';
import type { Parking } from '../parking/parking.ts';
import type { ParsedRecord, RecordSource } from '../parse/parsed.ts';
import { Again } from './again.ts';
import type { Breakers } from './breakers.ts';
import type { Item, Lanes, Result } from './lanes.ts';
import type { Origin } from './origin.ts';
import type { WorkObserver } from './work-observer.ts';

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

/** Takes records one by one to what becomes of them. */
export type RecordTaker = Pick<Records, 'take'>;

export interface RecordsOptions<Target> {
  readonly lanes: Lanes<Target>;
  readonly action: Pick<Action<Target>, 'route' | 'needs'>;
  /** Failures for good of a record before it is given up. */
  readonly attempts: number;
  readonly breakers?: Breakers | undefined;
  /** Events of other buckets are parked. Default: any. */
  readonly buckets: ReadonlySet<string> | undefined;
  readonly parking: Pick<Parking, 'park' | 'settled'>;
  /** Told why a record is left undone; `what` stands for its key, or for its message where no key can be read. */
  readonly failed: (what: string, error: IsyncError) => void;
  /** Told of each record that is done or parked. */
  readonly settled: (what: string) => void;
  readonly observer: WorkObserver;
  readonly log: Log;
}

/** Takes records one by one to what becomes of them. */
export class Records<Target = unknown> {
  readonly #options: RecordsOptions<Target>;
  readonly #again: Again;

  constructor(options: RecordsOptions<Target>) {
    this.#options = options;
    this.#again = new Again({
      needs: options.action.needs,
      attempts: options.attempts,
      breakers: options.breakers,
      waitingAt: (place) => options.lanes.waitingAt(place),
      isQuickAt: (place) => options.lanes.isQuickAt(place),
    });
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
        return this.#takeEvent(withoutFuture(record.event), record.source, origin);
    }
  }

  async #takeEvent(event: ObjectEvent, source: RecordSource, origin: Origin): Promise<Verdict> {
    const { buckets, action, observer, log } = this.#options;
    const park = (why: Why): Promise<Verdict> => this.#park(source, origin, why, event);
    if (buckets?.has(event.bucket) === false)
      return park({
        code: 'EVENT_INVALID',
        reason: `the bucket "${event.bucket}" is none of those that are followed`,
        hint: 'Add it to "buckets", or point its notification elsewhere; then take the record again.',
      });
    const route = action.route(event);
    switch (route.kind) {
      case 'unmatched':
        observer.unmatched();
        log.debug('below no prefix', fieldsOf(origin, event));
        return 'unmatched';
      case 'root':
        log.debug('nothing to do', fieldsOf(origin, event));
        return 'settled';
      case 'refused':
        return park({ code: 'BAD_PATH', reason: `the key ${route.reason}` });
      case 'task': {
        const { target, place } = route;
        if (!this.#again.isTurn(place, origin)) return 'later';
        const { messageId, attempt } = origin;
        const task = { event, target, messageId, attempt, body: () => source.body() };
        const verdict = await this.#judge(await this.#acted(task, place, origin), event, origin, park);
        if (verdict === 'later') this.#again.keepsPlace(place, origin);
        else if (verdict !== 'stopped') this.#again.leavesPlace(place, origin);
        return verdict;
      }
    }
  }

  #acted(task: Item<Target>['task'], place: string, origin: Origin): Promise<Result> {
    const keepsTurn = origin.holding?.isOurs === true;
    return new Promise((settle) =>
      this.#options.lanes.add({
        task,
        place,
        attempts: keepsTurn ? 1 : this.#options.attempts,
        staysMs: origin.staysMs,
        keepsTurn,
        looksAgainLater: keepsTurn && this.#options.action.needs === 'newest',
        isSecondLook: this.#again.isSecondLook(origin),
        settle,
      }),
    );
  }

  async #judge(
    result: Result,
    event: ObjectEvent,
    origin: Origin,
    park: (why: Why) => Promise<Verdict>,
  ): Promise<Verdict> {
    const { observer, log, parking, failed, settled } = this.#options;
    const fields = fieldsOf(origin, event);
    if (result.kind === 'stopped') return 'stopped';
    // Its place in the order is kept below.
    if (result.kind === 'behind') {
      this.#again.untried(origin);
      return 'later';
    }
    if (result.kind === 'slow') {
      this.#again.putAside(origin);
      return 'later';
    }
    if (result.kind === 'failed') {
      const { code, message, hint, retryable } = result.error;
      const isGivenUp = !retryable && this.#again.isGivenUp(origin);
      if (isGivenUp && !origin.hasRedrive) return park({ code, reason: message, hint });
      // A breaker has a line of its own for all events of a side that is away.
      const isKnown = retryable && this.#options.breakers?.isOpen(event.bucket) === true;
      log[isKnown ? 'debug' : 'warn'](`not done: ${message}`, {
        ...fields,
        code,
        ...(hint !== undefined && { hint }),
      });
      failed(whatOf(event), result.error);
      if (isGivenUp) return 'refused';
      this.#again.delay(event.bucket, origin);
      return 'later';
    }
    const { outcome } = result;
    if (outcome.outcome === 'missing' && origin.holding !== undefined) {
      this.#again.lookAgain(origin);
      log.debug('there is no such object yet: it is looked at again', fields);
      return 'later';
    }
    observer.done(event.kind, outcome.outcome, outcome.outcome === 'written' ? outcome.bytes : 0);
    if (outcome.outcome === 'parked') return park(outcome);
    const isChange = outcome.outcome === 'written' || outcome.outcome === 'removed';
    if (isChange && event.timeMs !== undefined) observer.lag(Math.max(0, Date.now() - event.timeMs));
    await parking.settled(event.bucket, event.key);
    this.#again.forget(origin);
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
    const { holding } = origin;
    if (holding?.isOurs === true) holding.buried = reason;
    else
      await parking.park({
        messageId: origin.messageId,
        code,
        reason,
        hint,
        bucket: event?.bucket,
        key: event?.key,
        body: source.body(),
      });
    this.#again.forget(origin);
    observer.parked();
    settled(event === undefined ? origin.messageId : whatOf(event));
    log.warn(`${holding?.isOurs === true ? 'dead' : 'parked'}: ${reason}`, {
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

/** What each line of the log about a record has. */
export function fieldsOfRecord(record: ParsedRecord, origin: Origin): LogFields {
  return fieldsOf(origin, record.outcome === 'event' ? record.event : undefined);
}

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
