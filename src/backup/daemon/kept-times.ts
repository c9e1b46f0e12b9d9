import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Log } from '../../model/log.ts';

/** Name in the folder of the daemon. */
const TIMES_FILE = 'times.json';

const times = z.object({ run: z.number().optional(), verify: z.number().optional() });

/** What of a job has a schedule. */
export type Duty = 'run' | 'verify';

/**
 * For which time each duty of a job was last done, in one small file: that is what tells, after a restart, what was missed. Where it can't be
 * read or written, runs of before are counted instead (firstSince); so no call throws.
 */
export class KeptTimes {
  readonly #path: string;
  readonly #log: Log;
  #times: z.output<typeof times>;

  /** @param folder of the daemon, in the folder of the job */
  constructor(folder: string, log: Log) {
    this.#path = join(folder, TIMES_FILE);
    this.#log = log;
    this.#times = this.#read();
  }

  of(duty: Duty): number | undefined {
    return this.#times[duty];
  }

  /** Durable when it returns. A few times a day, and some hundred bytes: nobody is kept waiting. */
  set(duty: Duty, ms: number): void {
    this.#times = { ...this.#times, [duty]: ms };
    const draft = `${this.#path}.new`;
    try {
      const file = openSync(draft, 'w', 0o600);
      try {
        writeSync(file, JSON.stringify(this.#times));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(draft, this.#path);
    } catch (err) {
      this.#log.warn('when a job was last done could not be kept: after a restart it may be done once more', {
        path: this.#path,
        err,
      });
    }
  }

  #read(): z.output<typeof times> {
    try {
      return times.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
    } catch {
      return {};
    }
  }
}
