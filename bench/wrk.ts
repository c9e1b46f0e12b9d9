import type { Bench } from './bench.ts';
import { MIB } from './data.ts';
import { hasProgram, runProgram } from './process.ts';

/** Not counted, in s: connections stand, code is compiled. */
const WARM_S = 2;
/** For one answer, in s. */
const PATIENCE_S = 30;
const UNITS: Readonly<Record<string, number>> = { B: 1, KB: 1024, MB: MIB, GB: 1024 * MIB };

/** What wrk saw. */
export interface Load {
  /** Answers a second. */
  readonly requests: number;
  /** MiB a second, with those of answers that were under way at the end. */
  readonly mib: number;
}

export async function hasWrk(bench: Bench): Promise<boolean> {
  const isThere = await hasProgram('wrk');
  if (!isThere) bench.say('!!! WRK IS NOT INSTALLED (apt-get install wrk)');
  return isThere;
}

/** Lets wrk ask for one URL, from so many connections at a time. @param warm called between warming up and what counts */
export async function load(
  url: string,
  connections: number,
  seconds: number,
  warm: () => void,
): Promise<Load> {
  await ask(url, connections, WARM_S);
  warm();
  return await ask(url, connections, seconds);
}

async function ask(url: string, connections: number, seconds: number): Promise<Load> {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', `${PATIENCE_S}s`, url];
  const { stdout } = await runProgram('wrk', args);
  const fault = /^ *(?:Non-2xx|Socket errors).*$/m.exec(stdout)?.[0];
  if (fault !== undefined) throw new Error(`${url}: ${fault.trim()}`);
  const requests = Number(/Requests\/sec: +([\d.]+)/.exec(stdout)?.[1]);
  const [, figure, unit = ''] = /Transfer\/sec: +([\d.]+)(\w+)/.exec(stdout) ?? [];
  return { requests, mib: (Number(figure) * (UNITS[unit] ?? NaN)) / MIB };
}
