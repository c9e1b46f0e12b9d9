import { IsyncError } from '../../model/isync-error.ts';
import type { ListedObject } from '../../s3/objects.ts';
import type { RuleOrigins } from '../fill/fills-options.ts';
import { S3Origin } from '../origin/s3/s3-origin.ts';
import type { MirrorRule } from '../rule.ts';
import { originKeyOf } from '../rules.ts';
import { type Candidate, factsListed, type KeyCandidate } from './candidate.ts';
import { PageWindow } from './page-window.ts';

/**
 * Adds what the first origin of a key's rule has under it, where that is a bucket and as far as a {@link PageWindow} tells. What it
 * lacks is left to be asked for, and so is all of a bucket that can't be listed.
 */
export async function* withOrigin(
  candidates: AsyncIterable<Candidate>,
  routes: readonly RuleOrigins[],
  signal: AbortSignal,
): AsyncGenerator<Candidate> {
  const windows = new Map<MirrorRule, PageWindow>();
  for (const { rule, origins } of routes) {
    const [first] = origins;
    if (first instanceof S3Origin) windows.set(rule, windowOf(first, signal));
  }
  for await (const candidate of candidates) {
    const found = candidate.kind === 'key' ? await listed(candidate, windows, signal) : undefined;
    yield found === undefined || candidate.kind !== 'key'
      ? candidate
      : { ...candidate, origin: factsListed(found) };
  }
}

function windowOf(origin: S3Origin, signal: AbortSignal): PageWindow {
  const list = (startAfter: string | undefined) => origin.list(signal, '', startAfter);
  return new PageWindow({ list, prefix: '', page: origin.page });
}

async function listed(
  { key, rule, origin }: KeyCandidate,
  windows: Map<MirrorRule, PageWindow>,
  signal: AbortSignal,
): Promise<ListedObject | undefined> {
  const window = windows.get(rule);
  const name = originKeyOf(rule, key)?.key;
  if (origin !== undefined || window === undefined || name === undefined) return undefined;
  try {
    const found = await window.at(name);
    return found === 'unknown' ? undefined : found;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof IsyncError)) throw error;
    windows.delete(rule);
    return undefined;
  }
}
