/** What must hold, one line each, and the count at the end. */
export class Checks {
  #passed = 0;
  #failed = 0;
  readonly #print: (line: string) => void;
  readonly #counts: (what: string) => boolean;

  /** @param counts which checks are made at all */
  constructor(print: (line: string) => void, counts: (what: string) => boolean = () => true) {
    this.#print = print;
    this.#counts = counts;
  }

  get failed(): number {
    return this.#failed;
  }

  check(what: string, holds: boolean, detail: string | undefined = ''): void {
    if (!this.#counts(what)) return;
    if (holds) this.#passed++;
    else this.#failed++;
    this.#print(`${holds ? 'ok' : 'FAILED'}: ${what}${detail === '' ? '' : ` (${detail})`}`);
  }

  get summary(): string {
    return `${this.#passed} passed, ${this.#failed} failed`;
  }
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
