import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { CliProcess } from '../../harness/process.ts';

const SAMPLE_MS = 250;
/** Collections in a row: memory goes back to the system over several of them. */
const COLLECTIONS = 3;

/**
 * Environment for a process whose memory is measured: at SIGUSR2 it collects its garbage. When V8 does so by itself
 * depends on how busy the machine is, and would hide what is held, or pass for it.
 */
export const COLLECTS_ON_SIGNAL = {
  NODE_OPTIONS: `--expose-gc --import=data:text/javascript,process.on('SIGUSR2',()=>gc())`,
};

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
  readonly #process: CliProcess;
  readonly #timer: NodeJS.Timeout;
  #samples: number[] = [];
  #baseline = 0;
  highest = 0;

  constructor(process: CliProcess) {
    this.#process = process;
    this.#timer = setInterval(() => this.#look(), SAMPLE_MS);
    this.#look();
  }

  /** Growth is counted from what it takes now. */
  async setBaseline(): Promise<void> {
    this.#baseline = await this.collected();
  }

  /** What it takes after its garbage is collected, in bytes; needs `COLLECTS_ON_SIGNAL`. */
  async collected(): Promise<number> {
    for (let n = 0; n < COLLECTIONS; n++) {
      this.#process.signal('SIGUSR2');
      await delay(2 * SAMPLE_MS);
    }
    return residentBytes(this.#process.pid);
  }

  get baseline(): number {
    return this.#baseline;
  }

  /** Median of the last samples: garbage that waits for its collector comes and goes. */
  get recent(): number {
    const last = this.#samples.slice(-40).toSorted((a, b) => a - b);
    return last[Math.floor(last.length / 2)] ?? 0;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const bytes = residentBytes(this.#process.pid);
    if (bytes === 0) return;
    this.#samples.push(bytes);
    if (this.#samples.length > 1000) this.#samples = this.#samples.slice(-100);
    this.highest = Math.max(this.highest, bytes);
  }
}

/** Lines that a healthy process never logs. The other side may have put words like these into ours. */
export function faultLines(stderr: string): string[] {
  return stderr.split('\n').filter((line) => /^\{"level":"(error|fatal)"|^\s+at .+:\d+:\d+\)?$/.test(line));
}
