import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { templatesOf, type Plan } from './plan.ts';

/** Which directories isync has sealed: a seal that was copied along with its directory is none. */
export class Seals {
  readonly #root: string;
  readonly #templates: ReadonlyMap<string, string>;

  constructor(root: string, plan: Plan) {
    this.#root = root;
    this.#templates = templatesOf(plan);
  }

  has(directory: string): boolean {
    const seal = this.#read(directory);
    if (seal === undefined) return false;
    const from = this.#templates.get(directory);
    if (from === undefined) return true;
    const original = this.#read(from);
    return original !== undefined && !seal.equals(original);
  }

  #read(directory: string): Buffer | undefined {
    try {
      return readFileSync(join(this.#root, directory, 'finished.watch'));
    } catch {
      // Not there, or taken away for a while.
      return undefined;
    }
  }
}
