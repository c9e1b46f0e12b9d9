import type { Bucket } from '../../s3/requests.ts';
import type { Fills } from '../fill/fills.ts';
import type { Candidate, KeyCandidate, OriginFacts } from './candidate.ts';
import { compared, isSurelySame } from './compare.ts';
import { factsOf } from './fill-all.ts';
import { inLanes } from './in-lanes.ts';
import { lookKept } from './look-kept.ts';
import { lineOf } from './named-key.ts';
import { Tries } from './tries.ts';

export interface VerifyAllOptions {
  readonly candidates: AsyncIterable<Candidate>;
  readonly fills: Fills;
  readonly bucket: Bucket;
  readonly prefix: string;
  /** Keys at a time. */
  readonly most: number;
  readonly signal: AbortSignal;
  /** Is told of each that is not right. `name` can stand in a list again. Must not throw. */
  readonly onFinding: (finding: Finding) => void;
}

export interface Finding {
  /** `failed`: it could not be compared. */
  readonly kind: 'missing' | 'different' | 'failed';
  readonly name: string;
  readonly reason: string;
}

export interface VerifyCounts {
  /** Keys looked at. */
  keys: number;
  missing: number;
  different: number;
  failed: number;
  /** Of those that are right, by what has been compared. */
  sameDigest: number;
  sameEtag: number;
  sameSize: number;
  /** The origin tells not even the size. */
  onlyThere: number;
  /** The origin says that there is none. */
  absent: number;
  unruled: number;
}

const SAME = { digest: 'sameDigest', etag: 'sameEtag', size: 'sameSize', nothing: 'onlyThere' } as const;

export function noVerifyCounts(): VerifyCounts {
  return {
    keys: 0,
    missing: 0,
    different: 0,
    failed: 0,
    sameDigest: 0,
    sameEtag: 0,
    sameSize: 0,
    onlyThere: 0,
    absent: 0,
    unruled: 0,
  };
}

/**
 * Compares each candidate with what is kept of it. Changes nothing.
 * @param counts grows as keys end
 * @throws IsyncError where the bucket or the origin can't be used at all, and what the candidates reject with
 */
export async function verifyAll(options: VerifyAllOptions, counts: VerifyCounts): Promise<void> {
  const { candidates, most, onFinding } = options;
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  const tries = new Tries(signal);
  const found = (kind: Finding['kind'], name: string, reason: string): void => {
    counts[kind] += 1;
    onFinding({ kind, name, reason });
  };

  const quick = (candidate: Candidate): boolean => {
    counts.keys += 1;
    if (candidate.kind === 'unruled') counts.unruled += 1;
    else if (candidate.kind === 'unusable') found('failed', candidate.name, candidate.reason);
    else {
      const { kept, origin, key } = candidate;
      if (kept === 'unknown' || origin === undefined) return false;
      if (kept === undefined) found('missing', lineOf(key), 'is not in the bucket');
      else if (isSurelySame(kept, origin)) counts.sameDigest += 1;
      else return false;
    }
    return true;
  };

  const work = async (candidate: Candidate): Promise<void> => {
    if (candidate.kind !== 'key') return;
    try {
      await tries.run(() => verifyKey(candidate));
    } catch (error) {
      if (error === options.signal.reason) return;
      found('failed', lineOf(candidate.key), error instanceof Error ? error.message : String(error));
      const why = tries.endsRun(error);
      if (why !== undefined) ending.abort(why);
    }
  };

  const verifyKey = async (candidate: KeyCandidate): Promise<void> => {
    const { key } = candidate;
    const origin = candidate.origin ?? (await ask(candidate));
    if (origin === undefined) return;
    const kept = await lookKept(options, key.key, signal);
    if (kept === undefined) {
      found('missing', lineOf(key), 'is not in the bucket');
      return;
    }
    const comparison = compared(kept, origin);
    if (comparison.kind === 'different') found('different', lineOf(key), comparison.reason);
    else counts[SAME[comparison.by]] += 1;
  };

  const ask = async ({ key }: KeyCandidate): Promise<OriginFacts | undefined> => {
    const start = await options.fills.head(key, signal);
    if (start.kind === 'found') return factsOf(start);
    if (start.kind === 'failed') throw start.error;
    if (start.kind !== 'present') counts[start.kind] += 1;
    return undefined;
  };

  await inLanes(candidates, work, { most, signal, quick });
  if (ending.signal.aborted) throw ending.signal.reason;
}
