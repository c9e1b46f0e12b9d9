import { randomBytes } from 'node:crypto';

/** Random bytes in the ids of one process: two of a million processes have the same with a chance of 1 in 10^8. */
const PROCESS_BYTES = 9;

/** Ids that no other request of this or another process has: a queue may drop a message whose id it has seen. */
export class RequestIds {
  readonly #process = randomBytes(PROCESS_BYTES).toString('hex');
  #count = 0;

  next(): string {
    return `${this.#process}.${(this.#count++).toString(36)}`;
  }
}
