/** Why something can't be tried on this machine. */
export interface Gap {
  /** Whether it is not installed, or this user may not do it. */
  readonly kind: 'tool' | 'permission';
  readonly why: string;
}

/** Set where every tool must be there: a gap is a failure then. */
export const NO_GAPS = 'ISYNC_TEST_NO_GAPS';

export const isRoot = process.geteuid?.() === 0;

/**
 * Whether the run must fail because of such a gap. The tests are also for ordinary users, so what only root may do is no failure
 * for them; but where root may not do it either, the machine is not one for all tests.
 */
export function isFailure(kind: Gap['kind']): boolean {
  return (process.env[NO_GAPS] ?? '') !== '' && (kind === 'tool' || isRoot);
}
