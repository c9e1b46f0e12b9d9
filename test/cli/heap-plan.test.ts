import { expect, it } from 'vitest';
import { heapPlanFor } from '../../src/cli/commands/list.ts';

it.each(['receive /backup', 'receive scan', 'help receive', '--json receive /backup'])(
  'plans the heap of a receiver for "isync %s"',
  (line) => {
    expect(heapPlanFor(line.split(' '))).toBe('receiver');
  },
);

it.each([
  'scan receive --help',
  'scan receive --to /backup',
  'verify receive --to receive',
  'token list --tokens receive',
  '--help',
  'recieve /backup',
  'mirror --bucket b',
])('plans the heap of a sender for "isync %s"', (line) => {
  expect(heapPlanFor(line.split(' '))).toBe('sender');
});

it('plans the heap of small requests for "isync webhook"', () => {
  expect(heapPlanFor(['webhook', '--to', 's3://copy'])).toBe('requests');
});

it('plans the heap of what runs a backup by itself', () => {
  expect(heapPlanFor(['backup', 'run', 'app', '--config', 'list'])).toBe('receiver');
  expect(heapPlanFor(['--json', 'backup', 'restore', 'latest'])).toBe('requests');
});
