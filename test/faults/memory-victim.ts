import { fileURLToPath } from 'node:url';
import type { BucketTrouble } from './bucket-trouble.ts';
import { Victim } from './victim.ts';

const PROGRAM = fileURLToPath(new URL('memory-receiver.ts', import.meta.url));

/** A receiver that keeps what it gets in memory: it is killed within its process, or all would be lost. */
export class MemoryVictim extends Victim {
  constructor(options: { readonly port: number; readonly seed: number; readonly uid: number | undefined }) {
    const { port, seed, uid } = options;
    super({ name: 'receiver', program: PROGRAM, args: [String(port), String(seed)], uid });
  }

  /** Where the program is asked; undefined until it has said so. */
  get control(): string | undefined {
    return /\{"control":"([^"]+)"\}/.exec(this.firstOutput)?.[1];
  }

  override async kill(): Promise<void> {
    await this.#post('kill', null);
  }

  /** The memory has no process of its own that it could be put into something with. */
  override async reborn(): Promise<void> {
    await this.kill();
  }

  async trouble(trouble: BucketTrouble | undefined): Promise<void> {
    await this.#post('trouble', trouble ?? null);
  }

  async #post(what: string, body: BucketTrouble | null): Promise<void> {
    const { control } = this;
    if (control === undefined) return;
    const { ok, status } = await fetch(`${control}/${what}`, { method: 'POST', body: JSON.stringify(body) });
    if (!ok) throw new Error(`the memory receiver answers ${what} with ${status}`);
  }
}
