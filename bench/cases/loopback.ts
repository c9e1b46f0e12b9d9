import { join } from 'node:path';
import type { Bench, BenchCase, Goal } from '../bench.ts';
import {
  BEFORE,
  isync,
  isyncBefore,
  nodePair,
  PAIR,
  rawDisk,
  rawSocket,
  stopAndWait,
} from '../competitors.ts';
import { contest, cpuText, inCaseFolder, type Competitor, type Result } from '../contest.ts';
import { GIB, KIB, MIB, equalSizes, mixedSizes, writeFiles } from '../data.ts';
import { atMost, MOST_AFTER } from '../goals.ts';
import { rsyncs } from '../rsync.ts';

/** One data set over loopback, with both sides on one file system. */
interface Loopback {
  readonly name: string;
  readonly on: 'disk' | 'tmpfs';
  readonly what: string;
  readonly sizes: () => number[];
  /** Command lines of rsync, which also are its names in the table. */
  readonly rsync: readonly string[];
  /** How many files the raw writer writes at a time; the best of them counts. */
  readonly rawAtOnce: readonly number[];
  readonly stopAndWait?: true;
  readonly goals: (isync: Result, others: Readonly<Record<string, Result | undefined>>) => Goal[];
}

const PLAIN = 'rsync -a';
const DURABLE = 'rsync -a --fsync';
const WHOLE = 'rsync -a --whole-file';
const WHOLE_DURABLE = 'rsync -a --whole-file --fsync';
const RAW_DISK = 'write + fdatasync + rename';
const RAW_SOCKET = 'a plain socket';

const SMALL = { what: '10,000 × 4 KiB', sizes: () => equalSizes(10_000, 4 * KIB) };
const MIXED = {
  what: '2,000 files of 1 KiB to 20 MiB, 2 GiB',
  sizes: () => mixedSizes(2000, 2 * GIB, KIB, 20 * MIB),
};
const BIG = { what: '1 × 4 GiB', sizes: () => [4 * GIB] };

export const LOOPBACK_CASES: readonly BenchCase[] = [
  over({
    ...SMALL,
    name: 'small-disk',
    on: 'disk',
    rsync: [PLAIN, DURABLE],
    rawAtOnce: [1, 8, 16, 64],
    stopAndWait: true,
    goals: (isync, others) => [
      ...atMost(0.5, DURABLE, isync, others[DURABLE]),
      ...atMost(1.3, PAIR, isync, others[PAIR]),
    ],
  }),
  over({
    ...SMALL,
    name: 'small-tmpfs',
    on: 'tmpfs',
    rsync: [PLAIN, DURABLE],
    rawAtOnce: [1, 8, 16, 64],
    stopAndWait: true,
    goals: (isync, others) => atMost(1.6, PLAIN, isync, others[PLAIN]),
  }),
  ...(['disk', 'tmpfs'] as const).flatMap((on) => [
    over({
      ...MIXED,
      name: `mixed-${on}`,
      on,
      rsync: [PLAIN, DURABLE],
      rawAtOnce: [1, 8, 16],
      goals: (isync, others) =>
        on === 'disk'
          ? atMost(0.8, DURABLE, isync, others[DURABLE])
          : atMost(1.3, PLAIN, isync, others[PLAIN]),
    }),
    over({
      ...BIG,
      name: `big-${on}`,
      on,
      rsync: [WHOLE, WHOLE_DURABLE],
      rawAtOnce: [1],
      goals: (isync, others) => atMost(1, WHOLE, isync, others[WHOLE]),
    }),
  ]),
];

function over(of: Loopback): BenchCase {
  return { name: of.name, about: `${of.what} over loopback, on ${of.on}`, run: (bench) => run(bench, of) };
}

async function run(bench: Bench, of: Loopback): Promise<void> {
  const place = of.on === 'disk' ? bench.disk : bench.tmpfs;
  if (place === undefined) return bench.say(`!!! ${of.name} is left out: there is no tmpfs`);
  const sizes = of.sizes();
  await inCaseFolder(place, of.name, async (folder) => {
    const data = writeFiles(join(folder, 'root'), sizes);
    const raws = Object.fromEntries(of.rawAtOnce.map((n) => [rawName(n), rawDisk(folder, n)]));
    const competitors: Record<string, Competitor> = {
      isync: await isync(folder),
      ...(await isyncBefore(bench, folder)),
      ...(await rsyncs(bench, folder, of.rsync)),
      [PAIR]: nodePair(),
      ...(of.stopAndWait === undefined ? {} : { 'stop and wait, no fsync': stopAndWait(sizes.length) }),
      ...raws,
      [RAW_SOCKET]: rawSocket(),
    };
    const results = await contest(bench, folder, data, competitors);
    const mine = results['isync']!;
    const others = Object.fromEntries(
      Object.entries(results).filter(([name]) => name !== 'isync' && !Object.hasOwn(raws, name)),
    );
    const best = of.rawAtOnce.toSorted(
      (a, b) => results[rawName(a)]!.median - results[rawName(b)]!.median,
    )[0]!;
    others[RAW_DISK] = results[rawName(best)]!;
    bench.report({
      case: of.name,
      measure: `${of.what}, ${of.on}`,
      unit: 's',
      isync: mine,
      others,
      goals: [...of.goals(mine, others), ...atMost(MOST_AFTER, BEFORE, mine, others[BEFORE])],
      note: noteOf(results, of.rawAtOnce.length > 1 ? `; ${RAW_DISK}: ${best} at a time` : ''),
    });
  });
}

function rawName(atOnce: number): string {
  return `${RAW_DISK}, ${atOnce} at a time`;
}

/** `CPU of sender + receiver: isync 1.1 + 1.9 s, rsync -a 0.4 + 0.6 s`. */
export function noteOf(
  results: Readonly<Record<string, Result>>,
  more: string,
  sides = 'sender + receiver',
): string {
  const parts = Object.entries(results).flatMap(([name, { cpu }]) =>
    cpu === undefined ? [] : `${name}${cpuText(cpu).replace(', CPU', '')}`,
  );
  return `CPU of ${sides}: ${parts.join(', ')}${more}`;
}
