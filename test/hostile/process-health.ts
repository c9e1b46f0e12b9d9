import { readFileSync } from 'node:fs';
import type { CliProcess } from '../suites/cli.ts';

const SAMPLE_MS = 250;

/** Memory of a process now, in bytes (Linux: VmRSS of proc_pid_status(5)); 0 once it is over. */
function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    // It has ended between two looks.
    return 0;
  }
}

/** Looks at a process's memory from time to time. */
export class MemoryWatch implements Disposable {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #samples: number[] = [];
  #baseline = 0;
  highest = 0;

  constructor({ pid }: CliProcess) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#look(), SAMPLE_MS);
    this.#look();
  }

  /** Growth is counted from what it takes now. */
  setBaseline(): void {
    this.#baseline = this.recent;
  }

  get baseline(): number {
    return this.#baseline;
  }

  /** Median of the last samples: garbage that waits for its collector comes and goes. */
  get recent(): number {
    const last = this.#samples.slice(-40).toSorted((a, b) => a - b);
    return last[Math.floor(last.length / 2)] ?? 0;
  }

  get growth(): number {
    return this.recent - this.#baseline;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const bytes = residentBytes(this.#pid);
    if (bytes === 0) return;
    this.#samples.push(bytes);
    if (this.#samples.length > 1000) this.#samples = this.#samples.slice(-100);
    this.highest = Math.max(this.highest, bytes);
  }
}

/** Lines that a healthy process never logs. */
export function faultLines(stderr: string): string[] {
  return stderr.split('\n').filter((line) => /"level":"(error|fatal)"|^\s+at .+:\d+:\d+\)?$/.test(line));
}
