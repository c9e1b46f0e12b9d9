import { Limiter } from '../../flow/limiter.ts';
import { Backoff } from '../../flow/retry.ts';
import { TaskGroup } from '../../flow/task-group.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { type Difference, differenceMessage } from '../compare/difference-message.ts';
import type { ObjectEvent } from '../object-event.ts';
import type { KeyEncoding, ParsedRecord } from '../parse/parsed.ts';
import type { Origin } from '../work/origin.ts';
import type { RecordTaker, Verdict } from '../work/records.ts';

/** Differences given to the lanes and not settled yet: enough to keep them busy, some 1 KiB each. */
const UNDER_WAY = 1_000;
/** Differences kept to be taken again, some 1 KiB each. Trouble with more of them is none of single keys. */
const MOST_LATER = 10_000;
/** Waits before those are taken again, in ms: each round looks at all of them. */
const AGAIN = { firstDelayMs: 1_000, longestDelayMs: 5 * 60_000 };
/** Name of the events that stand for a difference. */
const NAME = 'Resync';

export interface TakenOptions {
  readonly records: RecordTaker;
  /** How long keys that temporary trouble has left undone are taken again, in ms; Infinity: until they are done. */
  readonly patienceMs: number;
  readonly keyEncoding: KeyEncoding;
  readonly signal: AbortSignal;
}

/** Differences on their way. */
export class Taken {
  readonly #options: TakenOptions;
  readonly #places = new Limiter(UNDER_WAY);
  readonly #tasks = new TaskGroup();
  readonly #verdicts = new Set<Verdict>();
  #later: Difference[] = [];
  #isBeyond = false;
  #fault: IsyncError | undefined;

  constructor(options: TakenOptions) {
    this.#options = options;
  }

  /** Resolves when there is room for another one. */
  async take(difference: Difference): Promise<void> {
    if (this.#options.signal.aborted) return;
    const place = await this.#places.enter();
    this.#tasks.add(this.#settle(difference, place));
  }

  /** Resolves when none is under way. Never rejects. */
  idle(): Promise<void> {
    return this.#tasks.idle();
  }

  /**
   * Resolves with what they have come to, once all have; those that temporary trouble has left undone are taken again, alone.
   * @throws IsyncError of one that could not be settled; BUSY, retryable, where more were left undone than are kept
   */
  async all(): Promise<ReadonlySet<Verdict>> {
    const { patienceMs, signal } = this.#options;
    const backoff = new Backoff({ ...AGAIN, giveUpAfterMs: patienceMs });
    await this.#settled();
    while (this.#later.length > 0 && !signal.aborted) {
      const again = this.#later;
      const mayGoOn = await backoff.wait({ signal }).catch(() => false);
      if (!mayGoOn) break;
      this.#later = [];
      for (const difference of again) await this.take(difference);
      await this.#settled();
      if (this.#later.length < again.length) backoff.succeeded();
    }
    if (this.#later.length > 0) this.#verdicts.add('later');
    if (this.#isBeyond && patienceMs > 0 && !signal.aborted) throw leftUndone();
    return this.#verdicts;
  }

  async #settled(): Promise<void> {
    await this.#tasks.idle();
    if (this.#fault !== undefined) throw this.#fault;
  }

  async #settle(difference: Difference, place: Disposable): Promise<void> {
    const verdict = await this.#verdictOf(difference);
    if (verdict !== 'later') this.#verdicts.add(verdict);
    else if (this.#later.length < MOST_LATER) this.#later.push(difference);
    else this.#isBeyond = true;
    place[Symbol.dispose]();
  }

  /** Never rejects. */
  async #verdictOf(difference: Difference): Promise<Verdict> {
    const { records, keyEncoding } = this.#options;
    const origin: Origin = { messageId: 'resync', attempt: 1, staysMs: 0, hasRedrive: false };
    try {
      return await records.take(recordOf(difference, keyEncoding), origin);
    } catch (thrown) {
      const error = toIsyncError(thrown, 'INTERNAL');
      if (!error.retryable) this.#fault ??= error;
      return 'later';
    }
  }
}

function leftUndone(): IsyncError {
  return new IsyncError('BUSY', 'many keys could not be made what they are in the bucket yet', {
    retryable: true,
    hint: 'The lines before have the reasons; the comparison begins again by itself.',
  });
}

/** A difference in the clothes of an event, so that it can be parked and taken again like one. */
function recordOf({ kind, bucket, key }: Difference, keyEncoding: KeyEncoding): ParsedRecord {
  const event: ObjectEvent = {
    kind,
    dialect: 'aws',
    name: NAME,
    bucket,
    region: undefined,
    key,
    size: undefined,
    etag: undefined,
    versionId: undefined,
    sequencer: undefined,
    timeMs: undefined,
  };
  return {
    outcome: 'event',
    event,
    source: { body: () => differenceMessage({ kind, bucket, key }, keyEncoding) },
  };
}
