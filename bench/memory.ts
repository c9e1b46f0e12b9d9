import { readFileSync } from 'node:fs';

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
