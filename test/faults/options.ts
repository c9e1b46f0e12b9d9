import { parseArgs } from 'node:util';

export interface RunOptions {
  readonly seed: number;
  /** Rounds to run at most. */
  readonly rounds: number;
  /** No new round begins after so long. */
  readonly minutes: number;
  /** Rounds beside each other. */
  readonly parallel: number;
  /** Only this fault, or this scenario. */
  readonly only: string | undefined;
  /** Leave out the scenarios, which take two minutes. */
  readonly roundsOnly: boolean;
  /** Keep the folder of a failed round. */
  readonly keep: boolean;
}

export function readOptions(args: readonly string[]): RunOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      rounds: { type: 'string' },
      minutes: { type: 'string' },
      parallel: { type: 'string' },
      only: { type: 'string' },
      'rounds-only': { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
    },
  });
  const minutes = number(values.minutes);
  return {
    seed: number(values.seed) ?? Math.floor(Math.random() * 2 ** 31),
    rounds: number(values.rounds) ?? (minutes === undefined ? 20 : Infinity),
    minutes: minutes ?? Infinity,
    parallel: Math.max(1, number(values.parallel) ?? 1),
    only: values.only,
    roundsOnly: values['rounds-only'],
    keep: values.keep,
  };
}

function number(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`"${text}" is no number`);
  return value;
}
