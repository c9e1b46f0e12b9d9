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
    // A copy of a copy may have come with the seal of the first one.
    for (let from = this.#templates.get(directory); from !== undefined; from = this.#templates.get(from)) {
      const original = this.#read(from);
      if (original === undefined || seal.equals(original)) return false;
    }
    return true;
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
