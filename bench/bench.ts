/** One line of the table: what isync does, beside what a user would pick instead and beside what the machine can do. */
export interface Row {
  /** Name of its case, as `npm run bench -- NAME` takes it. */
  readonly case: string;
  /** What was measured, with its data and its file system: `10,000 × 4 KiB, disk`. */
  readonly measure: string;
  readonly unit: 's' | 'ms' | 'MiB' | 'MiB/s' | '%' | '/s';
  readonly isync: Sample;
  /** Peers and physical limits of the same run, by name. */
  readonly others: Readonly<Record<string, Sample>>;
  /** What was asked for, in words, and whether it was met. */
  readonly goals: readonly Goal[];
  /** What else the reader should know: CPU seconds, counts. */
  readonly note?: string;
}

export interface Goal {
  readonly text: string;
  readonly met: boolean;
}

/** Several measurements of one thing, taken in turns with those of its peers. */
export interface Sample {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly count: number;
}

export interface BenchCase {
  readonly name: string;
  /** One line for `npm run bench -- --help`. */
  readonly about: string;
  /** Measures, and reports each row as soon as it is known. */
  run(bench: Bench): Promise<void>;
}

/** What a case is given. */
export interface Bench {
  /** How often each thing is measured. */
  readonly runs: number;
  /** Folders that are removed at the end; `tmpfs` is undefined where there is none to write to. */
  readonly disk: string;
  readonly tmpfs: string | undefined;
  /** Main file of an earlier build, to be measured in the same run. */
  readonly before: string | undefined;
  /** Says on standard error what goes on. */
  say(line: string): void;
  report(row: Row): void;
}
