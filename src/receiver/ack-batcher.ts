import { MAX_FILES_IN_FLIGHT } from '../protocol/limits.ts';
import type { Ack, IdRange } from '../protocol/messages.ts';

/**
 * Batches the ids that become durable in one turn of the event loop into one ACK: a group commit makes many durable at
 * once, and a message for each would cost more than the files.
 */
export class AckBatcher {
  readonly #send: (ack: Ack, files: number) => void;
  #ids: number[] = [];
  #turn: NodeJS.Immediate | undefined;

  /** @param send gets each ACK with the number of its files */
  constructor(send: (ack: Ack, files: number) => void) {
    this.#send = send;
  }

  add(id: number): void {
    this.#ids.push(id);
    this.#turn ??= setImmediate(() => this.flush());
  }

  flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    const ids = this.#ids;
    this.#ids = [];
    for (let at = 0; at < ids.length; at += MAX_FILES_IN_FLIGHT) {
      const some = ids.slice(at, at + MAX_FILES_IN_FLIGHT);
      this.#send({ type: 'ack', ranges: rangesOf(some) }, some.length);
    }
  }
}

/** The fewest ranges that hold each id once. */
export function rangesOf(ids: readonly number[]): IdRange[] {
  const ranges: { first: number; last: number }[] = [];
  for (const id of ids.toSorted((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range !== undefined && id <= range.last + 1) range.last = id;
    else ranges.push({ first: id, last: id });
  }
  return ranges;
}
