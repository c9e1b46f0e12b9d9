import { expect, test } from 'vitest';
import type { Problem } from '../../src/model/problem.ts';
import type { ScanObserver } from '../../src/sender/scan/scan-options.ts';
import { MAX_PROBLEMS_KEPT, ScanTally } from '../../src/sender/scan/scan-tally.ts';

function recordingObserver(): ScanObserver & { readonly problems: Problem[]; readonly lines: string[] } {
  const problems: Problem[] = [];
  const lines: string[] = [];
  return {
    problems,
    lines,
    sent: () => undefined,
    transferred: () => undefined,
    problem: (problem) => void problems.push(problem),
    directory: (name, state, sealed) => void lines.push(`${name} ${state} ${sealed}`),
  };
}

const unreadable = (path: string): Problem => ({ path, code: 'FILE_UNREADABLE', message: 'no permission' });

test('a problem is told once, however often it is found', () => {
  const observer = recordingObserver();
  const tally = new ScanTally(observer);
  tally.problem('DC1', unreadable('DC1/a'));
  tally.forgetProblems('DC1');
  tally.problem('DC1', unreadable('DC1/a'));
  expect(observer.problems).toHaveLength(1);
  expect(tally.problemsOf('DC1')).toBe(1);
});

test('a problem that the next look no longer finds is gone from the summary', () => {
  const tally = new ScanTally(recordingObserver());
  tally.problem('DC1', unreadable('DC1/a'));
  tally.problem('DC2', unreadable('DC2/b'));
  tally.forgetProblems('DC1');
  expect(tally.summary().problems.map((problem) => problem.path)).toEqual(['DC2/b']);
  expect(tally.summary().problemCount).toBe(1);
});

test('problems beyond the limit are counted and still keep their directory from being sealed', () => {
  const tally = new ScanTally(recordingObserver());
  for (let i = 0; i < MAX_PROBLEMS_KEPT; i++) tally.problem('DC1', unreadable(`DC1/${i}`));
  tally.problem('DC2', unreadable('DC2/one more'));
  expect(tally.problemsOf('DC2')).toBe(1);
  expect(tally.summary().problemCount).toBe(MAX_PROBLEMS_KEPT + 1);
  tally.forgetProblems('DC1');
  tally.forgetProblems('DC2');
  expect(tally.summary().problemCount).toBe(0);
});

test('a directory is told when its state changes, and only then', () => {
  const observer = recordingObserver();
  const tally = new ScanTally(observer);
  tally.directory('DC1', 'active', false);
  tally.directory('DC1', 'active', false);
  tally.directory('DC1', 'closed', false);
  tally.directory('DC1', 'closed', true);
  expect(observer.lines).toEqual(['DC1 active false', 'DC1 closed false', 'DC1 closed true']);
  expect(tally.summary().directories).toEqual([{ name: 'DC1', state: 'closed', sealed: true }]);
});
