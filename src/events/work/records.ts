import { type ErrorCode, type IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { Log, LogFields } from '../../model/log.ts';
import type { Action } from '../action/action.ts';
import { type ObjectEvent, withoutFutureTime } from '../object-event.ts';
import type { Parking } from '../parking/parking.ts';
import type { ParsedRecord, RecordSource } from '../parse/parsed.ts';
import type { Breakers } from './breakers.ts';
import { KeyOrder } from './key-order.ts';
import { type Item, type Lanes, LOOK_AGAIN_MS, type Result } from './lanes.ts';
import { MessageCounts } from './message-counts.ts';
import type { WorkObserver } from './work-observer.ts';

/**
 * Records of a place that are in hand, where each of them counts: one under way, and those that wait behind it. With as many
 * messages for each action at a time, places that are slow leave room for others as long as an action is free.
 */
export const IN_HAND_AT_PLACE = 8;
/** The same where the newest is enough: then one waits behind the one under way. */
export const IN_HAND_PER_ACTION = 2;
/** How long a queue of our own keeps what another one of its place stands for, in ms. */
const SAME_PLACE_MS = 1_000;
/** How long a queue of our own keeps a record that has failed, in ms. */
const AGAIN_MS = { least: 100, first: 1_000, most: 15 * 60_000 };

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

/** Where records come from: a message of a queue, a parked record, a comparison with the bucket. */
export interface Origin {
  readonly messageId: string;
  readonly attempt: number;
  /** See {@link Item}. */
  readonly staysMs: number;
  /** Whether what fails for good is left to the queue, not parked. */
  readonly hasRedrive: boolean;
  /** Of a message that is in hand: undefined where the record comes from elsewhere. */
  readonly holding?: Holding | undefined;
}

/** What becomes of a message in hand beside the verdicts of its records. */
export interface Holding {
  /** Whether it is one of a queue of our own: what fails is tried again from there, and buried there. */
  readonly isOurs: boolean;
  /** How long its queue shall wait before it delivers it again, in ms. */
  releaseMs: number;
  /** Why it is to be buried. */
  buried: string | undefined;
}

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
  readonly #order = new KeyOrder();
  /** Failures for good. One that is forgotten is tried more often. */
  readonly #failures = new MessageCounts();
  /** Looks of created events that have found no object. */
  readonly #missing = new MessageCounts();
  /** Deliveries of which nothing was tried. One that is forgotten waits longer. */
  readonly #idle = new MessageCounts();

  constructor(options: RecordsOptions<Target>) {
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
        if (!this.#isTurn(place, origin)) return 'later';
        const { messageId, attempt } = origin;
        const task = { event, target, messageId, attempt, body: () => source.body() };
        const verdict = await this.#judge(await this.#acted(task, place, origin), event, origin, park);
        return this.#ordered(verdict, place, origin);
      }
    }
  }

  /** Where each record of a key counts, those that were given back to the queue come first. */
  #isTurn(place: string, { messageId, holding }: Origin): boolean {
    const { action, lanes } = this.#options;
    if (holding?.isOurs !== true) return true;
    const waiting = lanes.waitingAt(place);
    if (action.needs === 'newest') {
      // One that waits stands for all of them.
      if (waiting < IN_HAND_PER_ACTION - 1) return true;
      holding.releaseMs = Math.max(holding.releaseMs, SAME_PLACE_MS);
    } else {
      if (this.#order.isTurn(place, messageId) && waiting < IN_HAND_AT_PLACE - 1) return true;
      holding.releaseMs = Math.max(holding.releaseMs, this.#order.wait(place, messageId));
    }
    this.#idle.add(messageId);
    return false;
  }

  #ordered(verdict: Verdict, place: string, { messageId, holding }: Origin): Verdict {
    if (holding?.isOurs !== true || this.#options.action.needs !== 'each') return verdict;
    if (verdict === 'later')
      holding.releaseMs = Math.max(holding.releaseMs, this.#order.wait(place, messageId, holding.releaseMs));
    else if (verdict !== 'stopped') this.#order.done(place, messageId);
    return verdict;
  }

  #acted(task: Item<Target>['task'], place: string, { staysMs, holding }: Origin): Promise<Result> {
    const keepsTurn = holding?.isOurs === true;
    const attempts = keepsTurn ? 1 : this.#options.attempts;
    const looksAgainLater = keepsTurn && this.#options.action.needs === 'newest';
    // Another worker may have had the first look.
    const isSecondLook = looksAgainLater && (this.#missing.of(task.messageId) > 0 || task.attempt > 2);
    return new Promise((settle) =>
      this.#options.lanes.add({
        task,
        place,
        attempts,
        staysMs,
        keepsTurn,
        looksAgainLater,
        isSecondLook,
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
      this.#idle.add(origin.messageId);
      return 'later';
    }
    if (result.kind === 'failed') {
      const { code, message, hint, retryable } = result.error;
      const told = { ...fields, code, ...(hint !== undefined && { hint }) };
      // A breaker has a line of its own for all events of a side that is away.
      const isKnown = retryable && this.#options.breakers?.isOpen(event.bucket) === true;
      log[isKnown ? 'debug' : 'warn'](`not done: ${message}`, told);
      if (!retryable && this.#isGivenUp(origin)) {
        if (!origin.hasRedrive) return park({ code, reason: message, hint });
        failed(whatOf(event), result.error);
        return 'refused';
      }
      failed(whatOf(event), result.error);
      this.#delay(event, origin);
      return 'later';
    }
    const { outcome } = result;
    if (outcome.outcome === 'missing' && origin.holding !== undefined) {
      this.#missing.add(origin.messageId);
      this.#idle.add(origin.messageId);
      origin.holding.releaseMs = Math.max(origin.holding.releaseMs, LOOK_AGAIN_MS);
      return 'later';
    }
    observer.done(event.kind, outcome.outcome, outcome.outcome === 'written' ? outcome.bytes : 0);
    if (outcome.outcome === 'parked') return park(outcome);
    const isChange = outcome.outcome === 'written' || outcome.outcome === 'removed';
    if (isChange && event.timeMs !== undefined) observer.lag(Math.max(0, Date.now() - event.timeMs));
    await parking.settled(event.bucket, event.key);
    this.#forget(origin.messageId);
    settled(whatOf(event));
    log.info(outcome.outcome, fields);
    return 'settled';
  }

  /** Whether a record that has failed for good has done so as often as it may. */
  #isGivenUp({ messageId, holding }: Origin): boolean {
    // The lanes have tried it so often.
    if (holding?.isOurs !== true) return true;
    return this.#failures.add(messageId) >= this.#options.attempts;
  }

  /** Has the queue keep the message while the breaker of its bucket is open, and else longer each time it has been tried. */
  #delay({ bucket }: ObjectEvent, { messageId, attempt, holding }: Origin): void {
    if (holding?.isOurs !== true) return;
    const openMs = this.#options.breakers?.openMs(bucket) ?? 0;
    // A breaker grows by itself; what it keeps back has not failed.
    if (openMs > 0) this.#idle.add(messageId);
    const delayMs = openMs > 0 ? openMs + jitter(1) : jitter(Math.max(1, attempt - this.#idle.of(messageId)));
    holding.releaseMs = Math.max(holding.releaseMs, delayMs);
  }

  #forget(messageId: string): void {
    this.#failures.forget(messageId);
    this.#idle.forget(messageId);
    this.#missing.forget(messageId);
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
    this.#forget(origin.messageId);
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

/** With full jitter: from nothing up to twice as long with each delivery. */
function jitter(attempt: number): number {
  const cap = Math.min(AGAIN_MS.most, AGAIN_MS.first * 2 ** Math.min(attempt, 20));
  return Math.max(AGAIN_MS.least, Math.round(Math.random() * cap));
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
