import { parseArgs } from 'node:util';

export interface Options {
  /** Names of cases, or their beginnings; all where there is none. */
  readonly names: readonly string[];
  readonly runs: number;
  readonly disk: string;
  readonly tmpfs: string;
  readonly json: string | undefined;
  readonly before: string | undefined;
  /** Where the time goes instead of how much it is. */
  readonly profile: boolean;
  readonly help: boolean;
}

/** Throws a TypeError that names the fault. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: '5' },
      disk: { type: 'string', default: '/var/tmp' },
      tmpfs: { type: 'string', default: '/dev/shm' },
      json: { type: 'string' },
      before: { type: 'string' },
      profile: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1)
    throw new TypeError(`--runs takes a number from 1, not "${values.runs}"`);
  return { ...values, names: positionals, runs, json: values.json, before: values.before };
}
