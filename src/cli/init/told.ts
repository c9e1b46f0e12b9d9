import type { Output } from '../output.ts';
import type { Placed } from './place.ts';

/** What has been made, told as it happens and once more for programs. */
export class Told {
  readonly #output: Output;
  readonly made: string[] = [];
  readonly kept: string[] = [];

  constructor(output: Output) {
    this.#output = output;
  }

  placed(what: string, placed: Placed): void {
    (placed === 'made' ? this.made : this.kept).push(what);
    this.#output.text(`${placed === 'made' ? 'made' : 'left as it is'}: ${what}`);
  }
}
