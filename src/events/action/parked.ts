import { type ErrorCode, factsOf } from '../../model/error-table.ts';
import type { Outcome } from './outcome.ts';

type Parked = Extract<Outcome, { outcome: 'parked' }>;

/** @param hint default: what the table of errors says of the code */
export function parked(code: ErrorCode, reason: string, hint: string = factsOf(code).cure): Parked {
  return { outcome: 'parked', code, reason, hint };
}
