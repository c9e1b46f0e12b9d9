import type { BenchCase } from '../bench.ts';
import { LOOPBACK_CASES } from './loopback.ts';
import { WAN_CASES } from './wan.ts';

/** In the order they are run and stand in the table. */
export const CASES: readonly BenchCase[] = [...LOOPBACK_CASES, ...WAN_CASES];
