import type { Finding } from '../../events/pull/check.ts';
import type { Check } from './check.ts';

const LEVELS = { ok: 'ok', warning: 'warn', fault: 'fail' } as const;

/** Returns what a look at queues, buckets and folders has found, as a check. */
export function ofFinding({ level, ...finding }: Finding): Check {
  return { ...finding, level: LEVELS[level] };
}
