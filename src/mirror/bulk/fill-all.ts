import { IsyncError } from '../../model/isync-error.ts';
import type { ObjectFacts } from '../../s3/look.ts';
import type { Bucket } from '../../s3/requests.ts';
import type { Fills, FillStart } from '../fill/fills.ts';
import { OriginError } from '../origin/origin.ts';
import type { Candidate, KeyCandidate, OriginFacts } from './candidate.ts';
import { isAsPut, isChanged, isSurelyUnchanged } from './compare.ts';
import { inLanes } from './in-lanes.ts';
import { lookKept } from './look-kept.ts';
import { lineOf } from './named-key.ts';
import { Tries } from './tries.ts';

export interface FillAllOptions {
  readonly candidates: AsyncIterable<Candidate>;
  readonly fills: Fills;
  readonly bucket: Bucket;
  readonly prefix: string;
  /** Whether what has changed at the origin is fetched again. */
  readonly changed: boolean;
  readonly dryRun: boolean;
  /** Keys at a time. */
  readonly most: number;
  /** No key is begun any more when it fires; those under way come to their end. */
  readonly signal: AbortSignal;
  readonly observer: FillAllObserver;
}

/** Is told of keys as they end. Must not throw. */
export interface FillAllObserver {
  /** It was kept, or with a dry run would be. `bytes`: undefined where a dry run does not know. */
  readonly filled: (key: string, bytes: number | undefined, replaced: boolean) => void;
  /** It has changed at the origin, and in the bucket too: it is left alone. */
  readonly untouched: (key: string) => void;
  /** `name` can stand in a list again. */
  readonly failed: (name: string, reason: string) => void;
}

export interface FillCounts {
  /** Put where there was none. */
  filled: number;
  /** Put in the place of an older version. */
  replaced: number;
  /** Bytes of both. */
  bytes: number;
  /** Were there already. */
  present: number;
  /** The origin says that there is none. */
  absent: number;
  /** No rule has them, or they are excepted. */
  unruled: number;
  untouched: number;
  failed: number;
}

export function noCounts(): FillCounts {
  return { filled: 0, replaced: 0, bytes: 0, present: 0, absent: 0, unruled: 0, untouched: 0, failed: 0 };
}

/**
 * Fills what the bucket lacks of the candidates. What can't be had is told, and does not end the rest.
 * @param counts grows as keys end
 * @throws IsyncError where the bucket or the origin can't be used at all, and what the candidates reject with
 */
export async function fillAll(options: FillAllOptions, counts: FillCounts): Promise<void> {
  await new FillAll(options, counts).run();
}

class FillAll {
  readonly #options: FillAllOptions;
  readonly #counts: FillCounts;
  readonly #tries: Tries;
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;

  constructor(options: FillAllOptions, counts: FillCounts) {
    this.#options = options;
    this.#counts = counts;
    this.#signal = AbortSignal.any([options.signal, this.#ending.signal]);
    this.#tries = new Tries(this.#signal);
  }

  async run(): Promise<void> {
    const { candidates, most } = this.#options;
    const quick = (candidate: Candidate): boolean => this.#isDone(candidate);
    await inLanes(candidates, (each) => this.#work(each), { most, signal: this.#signal, quick });
    if (this.#ending.signal.aborted) throw this.#ending.signal.reason;
  }

  /** What needs no request. */
  #isDone(candidate: Candidate): boolean {
    if (candidate.kind === 'unruled') this.#counts.unruled += 1;
    else if (candidate.kind === 'unusable') this.#failed(candidate.name, candidate.reason);
    else {
      const { kept, origin } = candidate;
      if (kept === undefined || kept === 'unknown') return false;
      if (this.#options.changed && !(origin !== undefined && isSurelyUnchanged(kept, origin))) return false;
      this.#counts.present += 1;
    }
    return true;
  }

  /** Never rejects. */
  async #work(candidate: Candidate): Promise<void> {
    if (candidate.kind !== 'key') return;
    try {
      await this.#tries.run(() => this.#key(candidate));
    } catch (error) {
      if (error === this.#options.signal.reason) return;
      this.#failed(lineOf(candidate.key), error instanceof Error ? error.message : String(error));
      const why = this.#tries.endsRun(error);
      if (why !== undefined) this.#ending.abort(why);
    }
  }

  async #key(candidate: KeyCandidate): Promise<void> {
    const { changed } = this.#options;
    const { key } = candidate.key;
    const kept = candidate.kept === undefined ? undefined : await lookKept(this.#options, key);
    if (kept === undefined) {
      await this.#fill(candidate, undefined);
      return;
    }
    if (!changed) {
      this.#counts.present += 1;
      return;
    }
    const origin = candidate.origin ?? (await this.#ask(candidate));
    if (origin === undefined) return;
    if (!isAsPut(kept)) {
      const isOther = isChanged(kept, origin) || (origin.modifiedMs ?? 0) > kept.modifiedMs;
      this.#counts[isOther ? 'untouched' : 'present'] += 1;
      if (isOther) this.#options.observer.untouched(key);
    } else if (isChanged(kept, origin)) await this.#fill(candidate, kept);
    else this.#counts.present += 1;
  }

  /** What the origin says of a key; undefined where it has none, which is counted. */
  async #ask({ key }: KeyCandidate): Promise<OriginFacts | undefined> {
    const start = await this.#options.fills.head(key, this.#signal);
    if (start.kind === 'found') return factsOf(start);
    this.#nothing(start);
    return undefined;
  }

  async #fill(candidate: KeyCandidate, replaces: ObjectFacts | undefined): Promise<void> {
    const { fills, dryRun, observer } = this.#options;
    const { key } = candidate;
    if (dryRun) {
      const origin = candidate.origin ?? (await this.#ask(candidate));
      if (origin !== undefined) this.#filled(key.key, origin.size, replaces !== undefined);
      return;
    }
    const fill = fills.fill(key, { replaces });
    const start = await fill.started;
    const end = await fill.ended;
    // Another line of the list has the same key, and counts it.
    if (end.kind === 'kept' && fill.joined) this.#counts.present += 1;
    else if (end.kind === 'kept') this.#filled(key.key, end.bytes, replaces !== undefined);
    else if (end.kind === 'failed') throw end.error;
    else if (end.kind === 'passed') throw new IsyncError('FILE_UNREADABLE', `not kept: ${end.reason}`);
    else if (end.kind === 'nothing' && start.kind !== 'found') this.#nothing(start);
    else if (replaces === undefined) this.#counts.present += 1;
    else {
      // It was changed in the bucket just now.
      this.#counts.untouched += 1;
      observer.untouched(key.key);
    }
  }

  /** @throws OriginError */
  #nothing(start: Exclude<FillStart, { readonly kind: 'found' }>): void {
    if (start.kind === 'failed') throw start.error.status === 302 ? tooLarge(start.error) : start.error;
    this.#counts[start.kind] += 1;
  }

  #filled(key: string, bytes: number | undefined, replaced: boolean): void {
    this.#counts[replaced ? 'replaced' : 'filled'] += 1;
    this.#counts.bytes += bytes ?? 0;
    this.#options.observer.filled(key, bytes, replaced);
  }

  #failed(name: string, reason: string): void {
    this.#counts.failed += 1;
    this.#options.observer.failed(name, reason);
  }
}

/** What a found object is like at the origin. */
export function factsOf({ head, origin }: Extract<FillStart, { readonly kind: 'found' }>): OriginFacts {
  const { size, etag, modifiedMs } = head;
  return { size, etag, modifiedMs, hasMd5: origin.startsWith('s3://') };
}

function tooLarge(error: OriginError): OriginError {
  return new OriginError(302, `${error.message}: raise the rule's "maxSize", or the size of the spool`);
}
