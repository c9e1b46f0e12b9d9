import { expect, test } from 'vitest';
import { Checks } from '../hostile/checks.ts';
import { floodReceiver } from '../hostile/floods.ts';
import { fuzzReceiver } from '../hostile/fuzz-receiver.ts';
import { fuzzSender } from '../hostile/fuzz-sender.ts';
import { Random } from '../../harness/random.ts';

/** Short runs of what `npm run test:hostile` does at length. */
const SEED = 20_260_101;
const MOST_MS = 4000;

function options(lines: string[]) {
  const print = (line: string): void => void lines.push(line);
  // A process that has just begun grows by what it caches; how it goes on is for the long run to tell.
  const checks = new Checks(print, (what) => !what.includes('grew'));
  return { seed: SEED, random: new Random(SEED), mostMs: MOST_MS, largeBytes: 2_000_000, checks, print };
}

test('hostile devices harm neither the receiver nor an honest device', async () => {
  const lines: string[] = [];
  const run = options(lines);
  await fuzzReceiver({ ...run, messages: 3000 });
  expect(lines.filter((line) => line.startsWith('FAILED'))).toEqual([]);
});

test('floods neither fill the memory of the receiver nor starve an honest device', async () => {
  const lines: string[] = [];
  const { checks, print } = options(lines);
  await floodReceiver({ devices: 8, ms: 1000, checks, print });
  expect(lines.filter((line) => line.startsWith('FAILED'))).toEqual([]);
});

test('a hostile receiver does not harm the sender', async () => {
  const lines: string[] = [];
  const run = options(lines);
  await fuzzSender({ ...run, messages: 500 });
  expect(lines.filter((line) => line.startsWith('FAILED'))).toEqual([]);
});
