import { mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench, Sample } from './bench.ts';
import { checkCopy, emptyFiles, resetFiles, type DataSet } from './data.ts';
import { runProgram } from './process.ts';
import { inTurns, sampleOf } from './sample.ts';

/** Something that can transfer a data set. */
export interface Competitor {
  /** Transfers all of `data` into `store`, an empty folder, and tells how long it took a user who waits for it. */
  run(data: DataSet, store: string): Promise<Took>;
}

export interface Took {
  readonly seconds: number;
  /** CPU seconds of both sides. */
  readonly cpu?: { readonly sender: number; readonly receiver: number };
  /** The folder that now holds the files, to be looked through; none where there are no files to look at. */
  readonly copy?: string;
  /** Looks through what lies elsewhere than in a folder; with `thorough` also byte by byte. Rejects with what is wrong. */
  readonly check?: (thorough: boolean) => Promise<void>;
  /** Whether their names, content and mtimes are those of the data set. */
  readonly same?: boolean;
}

export interface Result extends Sample {
  /** Medians of the CPU seconds. */
  readonly cpu?: { readonly sender: number; readonly receiver: number };
}

/**
 * Lets all competitors transfer the same data in turns. Before each run the data is as if never transferred, the
 * store is empty and everything is on disk; after each run the copy is looked through, the first one byte by byte.
 */
export async function contest<Name extends string>(
  bench: Bench,
  folder: string,
  data: DataSet,
  competitors: Readonly<Record<Name, Competitor>>,
): Promise<Record<Name, Result>> {
  const took = new Map<string, Took[]>();
  const measures = Object.entries<Competitor>(competitors).map(([name, competitor]) => {
    const all: Took[] = [];
    took.set(name, all);
    const measure = async (): Promise<number> => {
      const one = await runOnce(folder, data, competitor, all.length === 0);
      all.push(one);
      bench.say(`  ${name}: ${one.seconds.toFixed(2)} s${cpuText(one.cpu)}`);
      return one.seconds;
    };
    return [name, measure] as const;
  });
  const samples = await inTurns(bench.runs, Object.fromEntries(measures));
  return Object.fromEntries(
    Object.entries(samples).map(([name, sample]) => {
      const cpu = (took.get(name) ?? []).flatMap((one) => one.cpu ?? []);
      const medians = {
        sender: sampleOf(cpu.map(({ sender }) => sender)).median,
        receiver: sampleOf(cpu.map(({ receiver }) => receiver)).median,
      };
      return [name, cpu.length === 0 ? sample : { ...sample, cpu: medians }];
    }),
  ) as Record<Name, Result>;
}

async function runOnce(
  folder: string,
  data: DataSet,
  competitor: Competitor,
  isFirst: boolean,
): Promise<Took> {
  const store = await mkdtemp(join(folder, 'store-'));
  resetFiles(data);
  // What the one before left to be written would be written during this run.
  await runProgram('sync', []);
  const took = await competitor.run(data, store);
  if (took.copy !== undefined) await checkCopy(data, took.copy, isFirst && took.same === true);
  await took.check?.(isFirst && took.same === true);
  await emptyFiles(store);
  return took;
}

/** Gives `work` a folder for its data set and all copies of it; they take no room any more when it has ended. */
export async function inCaseFolder(
  place: string,
  name: string,
  work: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = join(place, name);
  await mkdir(folder);
  try {
    await work(folder);
  } finally {
    await emptyFiles(folder);
  }
}

export function cpuText(cpu: Took['cpu']): string {
  return cpu === undefined || Number.isNaN(cpu.sender)
    ? ''
    : `, CPU ${cpu.sender.toFixed(1)} + ${cpu.receiver.toFixed(1)} s`;
}
