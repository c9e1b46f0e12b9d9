import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { filesBelow, sameContent } from '../../harness/data-tree.ts';

export type FaultOf = (source: string, copy: string) => Promise<string | undefined>;

/** Pause between two looks, in ms: often enough to see what is there for a moment, and cores left for isync. */
const LOOK_MS = 5;

/**
 * Looks at all that a reader of the target can see, over and over, until it is disposed. `faultOf` says in words what is
 * wrong with a file that is visible; by default, that it is not equal to its source.
 */
export class VisibleFiles implements AsyncDisposable {
  /** What was seen though it must not be. */
  readonly faults: string[] = [];
  /** Files visible at the latest look. */
  count = 0;
  bytes = 0;
  readonly #source: string;
  readonly #copy: string;
  readonly #faultOf: FaultOf;
  readonly #seen = new Map<string, string>();
  readonly #running: Promise<void>;
  #stopped = false;

  constructor(source: string, copy: string, faultOf: FaultOf = notEqual) {
    this.#source = source;
    this.#copy = copy;
    this.#faultOf = faultOf;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    for (; !this.#stopped; await delay(LOOK_MS)) await this.#look();
    await this.#look();
  }

  async #look(): Promise<void> {
    const files = await filesBelow(this.#copy);
    for (const [path, stat] of files) {
      const version = `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
      if (this.#seen.get(path) === version) continue;
      this.#seen.set(path, version);
      await this.#check(path, stat);
    }
    this.count = files.size;
    this.bytes = [...files.values()].reduce((sum, { size }) => sum + size, 0);
  }

  async #check(path: string, { size }: Stats): Promise<void> {
    const fault = await this.#faultOf(join(this.#source, path), join(this.#copy, path));
    if (fault !== undefined) this.faults.push(`${path}, visible with ${size} bytes: ${fault}`);
  }

  /** Ends after one more look at everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}

async function notEqual(source: string, copy: string): Promise<string | undefined> {
  return (await sameContent(source, copy)) ? undefined : 'not equal to its source';
}
