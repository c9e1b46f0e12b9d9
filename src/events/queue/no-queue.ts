import { IsyncError } from '../../model/isync-error.ts';

/** A queue is to be looked at, and is not there: a mistyped name would else be told as an empty queue, and made. */
export function noQueue(where: string): IsyncError {
  return new IsyncError('STORE_MISSING', `there is no queue: ${where}`, {
    path: where,
    hint: '"isync webhook" makes it when it starts; check --queue, --state and --config.',
  });
}
