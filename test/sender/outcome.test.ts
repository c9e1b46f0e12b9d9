import { expect, test } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import type { ScanContext } from '../../src/sender/scan/scan-context.ts';
import { outcomeOf } from '../../src/sender/scan/transfer.ts';

function outcome(error: IsyncError, once: boolean) {
  const failures: IsyncError[] = [];
  const context = { options: { once }, fail: (failure: IsyncError) => failures.push(failure) };
  const { kind } = outcomeOf(context as unknown as ScanContext, error);
  return { kind, ends: failures.length > 0 };
}

const full = new IsyncError('READ_ONLY', 'no room for a marker', { retryable: true });
const readOnly = new IsyncError('READ_ONLY', 'mounted read-only');

test('a daemon outlives a full disk of its own: the directory is looked at again later', () => {
  expect(outcome(full, false)).toEqual({ kind: 'problem', ends: false });
});

test('a single scan ends with what a daemon waits for', () => {
  expect(outcome(full, true)).toEqual({ kind: 'stopped', ends: true });
});

test('a disk that can not be written to ends every scan', () => {
  expect(outcome(readOnly, false)).toEqual({ kind: 'stopped', ends: true });
});
