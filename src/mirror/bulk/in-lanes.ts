import { Limiter } from '../../flow/limiter.ts';
import { TaskGroup } from '../../flow/task-group.ts';
import type { MirrorRule } from '../rule.ts';
import type { Candidate } from './candidate.ts';

export interface InLanesOptions {
  /** Keys at a time, of all rules. Of each rule as many as its `concurrency`. */
  readonly most: number;
  /** No key is begun any more when it fires. */
  readonly signal: AbortSignal;
  /** Done at once, where nothing is to be waited for: true where that was all. */
  readonly quick?: (candidate: Candidate) => boolean;
}

/**
 * Works on the candidates, several at a time; reads no further ahead than one of them. Ends when all that was begun is over, and
 * rejects then with what ended the candidates.
 * @param work does not reject
 */
export async function inLanes(
  candidates: AsyncIterable<Candidate>,
  work: (candidate: Candidate) => Promise<void>,
  { most, signal, quick = () => false }: InLanesOptions,
): Promise<void> {
  const all = new Limiter(most);
  const ofRule = new Map<MirrorRule | undefined, Limiter>();
  const tasks = new TaskGroup();
  try {
    for await (const candidate of candidates) {
      if (signal.aborted) break;
      if (quick(candidate)) continue;
      const rule = candidate.kind === 'key' ? candidate.rule : undefined;
      const own = ofRule.get(rule) ?? new Limiter(rule?.concurrency ?? 1);
      ofRule.set(rule, own);
      const places = [await own.enter(), await all.enter()];
      const leave = (): void => {
        for (const place of places) place[Symbol.dispose]();
      };
      if (signal.aborted) {
        leave();
        break;
      }
      tasks.add(work(candidate).finally(leave));
    }
  } finally {
    await tasks.idle();
  }
}
