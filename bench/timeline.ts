import { startOwn } from './process.ts';

/** A file of the parser's size, in bytes, and how often one comes, in ms. */
const FILE_BYTES = 4096;
const PERIOD_MS = 20;
/** For the last file to arrive after the parser has ended, in ms. */
const PATIENCE_MS = 60_000;

/** How long after its close each file of a run was seen, in ms. */
export interface Latencies {
  /** Under its name at the target. */
  readonly appeared: readonly number[];
  /** Marked at the source: the acknowledgement that it is durable has come back. Empty where nobody marks. */
  readonly marked: readonly number[];
}

export interface Route {
  /** Where the parser writes. */
  readonly source: string;
  /** Where its files appear. */
  readonly copy: string;
  readonly marks: boolean;
}

type Times = Readonly<Record<string, number>>;

let runs = 0;

/** Has a parser write `count` files and sees them arrive, each in a process of its own. */
export async function latencies({ source, copy, marks }: Route, count: number): Promise<Latencies> {
  const prefix = `run${runs++}`;
  await using arrivals = startOwn('arrivals', [copy, prefix, count, ...(marks ? [source] : [])]);
  await arrivals.until('the observer to be ready', () => arrivals.stdout.includes('ready\n'));
  await using parser = startOwn('steady-parser', [source, prefix, count, FILE_BYTES, PERIOD_MS]);
  const written = await parser.ended;
  await arrivals.until(`${count} files to arrive`, () => arrivals.over, PATIENCE_MS);
  const closedUs = JSON.parse(written.stdout) as Times;
  const seen = JSON.parse((await arrivals.ended).stdout.split('\n').at(-2) ?? '') as {
    appearedUs: Times;
    markedUs: Times;
  };
  const since = (times: Times) =>
    Object.entries(times).map(([name, us]) => (us - (closedUs[name] ?? NaN)) / 1000);
  return { appeared: since(seen.appearedUs), marked: since(seen.markedUs) };
}
