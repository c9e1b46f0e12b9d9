import { setImmediate } from 'node:timers/promises';
import { type OriginAnswer, OriginError } from '../origin/origin.ts';
import type { SpoolFile } from '../spool/spool.ts';
import { type Answered, askOrigins } from './ask-origins.ts';
import { Cut } from './cut.ts';
import type { FillEnd, FillOptions, FillStart, MirrorKey } from './fills.ts';
import type { FillNeeds } from './fill-needs.ts';
import { failedStart, refusal, unavailable } from './refusals.ts';
import type { Route } from './route.ts';

type Found = Extract<Answered, { readonly kind: 'found' }>;
type FoundObject = Extract<OriginAnswer, { readonly kind: 'found' }>;

/** One fetch of a key, for all who wait for it. */
export class RunningFill {
  readonly route: Route;
  readonly started: Promise<FillStart>;
  readonly received: Promise<void>;
  readonly ended: Promise<FillEnd>;
  readonly #key: MirrorKey;
  readonly #needs: FillNeeds;
  readonly #replaces: FillOptions['replaces'];
  readonly #passed: readonly string[];
  readonly #cut = new Cut();
  readonly #starting = Promise.withResolvers<FillStart>();
  readonly #receiving = Promise.withResolvers<void>();
  #isStarted = false;
  #isWhole = false;
  #file: SpoolFile | undefined;

  /** @param over called when nobody can join any more, before it has ended for those who have */
  constructor(
    route: Route,
    key: MirrorKey,
    needs: FillNeeds,
    { deadlineMs, replaces, passed = [] }: FillOptions,
    over: (end: FillEnd) => void,
  ) {
    this.route = route;
    this.#key = key;
    this.#needs = needs;
    this.#replaces = replaces;
    this.#passed = passed;
    this.started = this.#starting.promise;
    this.received = this.#receiving.promise;
    if (deadlineMs !== undefined) this.#cut.atDeadline(deadlineMs);
    this.ended = this.#run(over);
  }

  read(
    range: { readonly start?: number; readonly end?: number },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    if (this.#file === undefined) throw new Error('a fill that has found nothing has no body');
    return this.#file.read(range, signal);
  }

  cut(error: OriginError): void {
    this.#cut.now(error);
  }

  async #run(over: (end: FillEnd) => void): Promise<FillEnd> {
    const { observer } = this.#needs;
    observer.began(this.route.rule.name);
    const end = await this.#fill().catch((error: unknown) => this.#failed(error));
    // Whoever has just heard that it has started reads now.
    await setImmediate();
    this.#cut[Symbol.dispose]();
    over(end);
    this.#receiving.resolve();
    const bytes = this.#file?.size ?? 0;
    this.#file?.[Symbol.dispose]();
    observer.ended(this.route.rule.name, end, bytes);
    return end;
  }

  async #fill(): Promise<FillEnd> {
    const { places, observer } = this.#needs;
    const { rule } = this.route;
    const { signal } = this.#cut;
    if (await this.#isKeptBefore()) {
      this.#start({ kind: 'present' });
      return { kind: 'present' };
    }
    // A client waits for its turn as long as for an origin that is slow to answer.
    using place = await places.enter(rule.name, rule.concurrency, rule.timeouts.firstByte, signal);
    if (place === undefined) throw refusal('fills', observer);
    const inTime = this.#cut.afterTotal(rule.timeouts.total);
    const { origins } = this.route;
    const answered = await askOrigins('GET', origins, this.route.keyOf(this.#key), signal, this.#passed);
    if (answered.kind === 'failed') throw answered.error;
    if (answered.kind === 'absent') {
      this.#needs.absent.set(this.#key.key, true);
      this.#start({ kind: 'absent', remembered: false });
      return { kind: 'nothing' };
    }
    using object = answered.object;
    const file = await this.#spooled(object);
    this.#file = file;
    const { size, headers, etag, modifiedMs, metadata } = object;
    const head = { size, headers, etag, modifiedMs, metadata };
    const origin = answered.from.urlOf(this.route.keyOf(this.#key)) ?? answered.from.name;
    this.#start({ kind: 'found', head, origin });
    await this.#receive(answered, file);
    inTime();
    if (object.notKept !== undefined) return { kind: 'passed', reason: object.notKept };
    const options = { signal, replaces: this.#replaces };
    const put = await this.#needs.bucket.put(this.#key.key, file, { ...head, origin }, options);
    return put === 'kept' ? { kind: 'kept', bytes: file.size } : { kind: 'present' };
  }

  /** Whoever asks may have looked at the bucket before another fill of the key was over. */
  async #isKeptBefore(): Promise<boolean> {
    const { kept, bucket } = this.#needs;
    if (this.#replaces !== undefined || !kept.has(this.#key.key)) return false;
    try {
      return (await bucket.head(this.#key.key, this.#cut.signal)) !== undefined;
    } catch (error) {
      this.#cut.signal.throwIfAborted();
      throw unavailable(error);
    }
  }

  async #spooled({ size }: FoundObject): Promise<SpoolFile> {
    const { spool, observer } = this.#needs;
    const { maxSize } = this.route.rule;
    const most = Math.min(maxSize, spool.maxBytes);
    if (size !== undefined && size > most) throw tooLarge(most);
    let file: SpoolFile | undefined;
    try {
      file = await spool.open(size, most);
    } catch (error) {
      throw unavailable(error);
    }
    if (file === undefined) throw refusal('spool', observer);
    return file;
  }

  async #receive({ object, asked, from }: Found, file: SpoolFile): Promise<void> {
    const { observer, spool } = this.#needs;
    const { signal } = this.#cut;
    const most = Math.min(this.route.rule.maxSize, spool.maxBytes);
    try {
      for await (const piece of object.bytes) {
        signal.throwIfAborted();
        if (file.size + piece.length > (object.size ?? most))
          throw object.size === undefined
            ? tooLarge(most)
            : new OriginError(502, 'the body is longer than announced');
        observer.received(from.name, piece.length);
        for (const limiter of this.route.limiters) {
          await limiter.ready({ signal });
          limiter.spend(piece.length);
        }
        await file.write(piece);
      }
      signal.throwIfAborted();
      if (object.size !== undefined && file.size !== object.size)
        throw new OriginError(502, `${file.size} bytes came of ${object.size}`);
      asked.bodyEnded();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof OriginError) asked.bodyFailed(error);
      throw error;
    }
    file.end();
    this.#isWhole = true;
    this.#receiving.resolve();
  }

  #start(start: FillStart): void {
    this.#isStarted = true;
    this.#starting.resolve(start);
  }

  #failed(error: unknown): FillEnd {
    const failure = error instanceof Error ? error : new Error(String(error));
    this.#file?.fail(failure);
    if (this.#isStarted) {
      this.#needs.complain(this.#key.key, failure);
      return { kind: 'failed', error: failure, isWhole: this.#isWhole };
    }
    const told = failure instanceof OriginError ? failure : unavailable(failure);
    this.#start(failedStart(told, this.route.urlOf(this.#key)));
    return { kind: 'nothing' };
  }
}

function tooLarge(most: number): OriginError {
  return new OriginError(302, `the object is larger than ${most} bytes`);
}
