import { type OriginAnswer, OriginError, type OriginKey } from '../origin/origin.ts';
import type { Asked, GuardedOrigin } from './guarded-origin.ts';

export type Answered =
  | {
      readonly kind: 'found';
      readonly object: Extract<OriginAnswer, { readonly kind: 'found' }>;
      readonly asked: Asked;
      readonly from: GuardedOrigin;
    }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly error: OriginError };

/**
 * Asks one origin after the other, until one answers. Where one has failed, "absent" of a later one is no answer: the object may well
 * be at the first.
 * @param passed ids of the mirrors that the request has been through
 * @throws the signal's reason
 */
export async function askOrigins(
  method: 'GET' | 'HEAD',
  origins: readonly GuardedOrigin[],
  key: OriginKey,
  signal: AbortSignal,
  passed: readonly string[],
): Promise<Answered> {
  let failure: OriginError | undefined;
  for (const from of origins) {
    try {
      const asked = await from.ask(method, key, signal, passed);
      const { answer } = asked;
      if (answer.kind === 'found') return { kind: 'found', object: answer, asked, from };
      return failure === undefined ? { kind: 'absent' } : { kind: 'failed', error: failure };
    } catch (error) {
      if (!(error instanceof OriginError) || signal.aborted) throw error;
      // It has the object: no failure.
      if (error.status === 302) return { kind: 'failed', error };
      // A loop tells of the mirrors that led there, another failure of the object's own place.
      if (failure === undefined || failure.status === 508) failure = error;
    }
  }
  failure ??= new OriginError(502, 'the rule has no origin');
  return { kind: 'failed', error: failure };
}
