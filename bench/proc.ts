import { readFileSync } from 'node:fs';

/** What `/proc` counts CPU time in, a second: USER_HZ, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Fields of proc_pid_stat(5) after the command's name: user and system time are the 14th and 15th of all. */
const UTIME = 11;
const STIME = 12;

export interface Memory {
  /** What it holds now (VmRSS). */
  readonly residentBytes: number;
  /** The most it has held so far (VmHWM). */
  readonly peakBytes: number;
}

/** Memory of a process that runs (Linux: proc_pid_status(5)). */
export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) * 1024;
  return { residentBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
}

/** CPU time that a process has used itself, user and system together (Linux: proc_pid_stat(5)). */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name may have spaces and brackets in it: what follows the last bracket has not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS_PER_SECOND;
}
