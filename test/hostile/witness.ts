import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { scanOnce } from '../../harness/cli.ts';
import { differences, writeTree, type Tree } from '../../harness/data-tree.ts';

const SMALL_FILES = 100;

export interface WitnessOptions {
  readonly url: string;
  readonly root: string;
  /** Where the receiver keeps what this device sends. */
  readonly copy: string;
  readonly device: string;
  readonly tokenFile: string;
  /** Of the one large file of each round. */
  readonly largeBytes: number;
}

/** An honest device: sends one data directory after the other through the real CLI, and compares what arrived. */
export class Witness {
  rounds = 0;
  readonly faults: string[] = [];
  readonly #options: WitnessOptions;
  #stopped = false;

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** At least one round, then more until it is stopped or something is wrong. */
  async run(): Promise<void> {
    const { root, copy } = this.#options;
    do {
      const directory = `DC${this.rounds}`;
      await this.#round(directory);
      this.rounds++;
      for (const folder of [root, copy]) await rm(join(folder, directory), { recursive: true, force: true });
    } while (!this.#stopped && this.faults.length === 0);
  }

  async #round(directory: string): Promise<void> {
    const { url, root, copy, device, tokenFile, largeBytes } = this.#options;
    const tree: Record<string, string | number> = { [`${directory}/large`]: largeBytes };
    for (let n = 0; n < SMALL_FILES; n++) tree[`${directory}/sub${n % 7}/f${n}`] = n * 37;
    await writeTree(root, { ...tree, [`${directory}/finished.parse`]: '' } satisfies Tree);
    const args = ['--token-file', tokenFile, '--bwlimit', '8MB/s'];
    const { exitCode, stderr } = await scanOnce(root, { to: url, device, args });
    if (exitCode !== 0) this.faults.push(`exit code ${exitCode}: ${stderr.slice(-500)}`);
    if (stderr.includes('link lost')) this.faults.push(`the link was cut: ${stderr.slice(-500)}`);
    this.faults.push(...(await differences(root, copy)).slice(0, 5));
  }
}
