import { createHash } from 'node:crypto';
import { AbortWatch } from '../../../flow/abort-watch.ts';
import type { Action } from '../action.ts';
import type { ForwardTarget } from './forward-target.ts';

/** Sends each record on to another queue, as a message of its own and in the words of its store. Disposes of the target. */
export function forwardAction(target: ForwardTarget): Action<undefined> {
  const aborts = new AbortWatch();
  return {
    name: 'forward',
    needs: 'each',
    route: ({ bucket, key }) => ({ kind: 'task', target: undefined, place: `${bucket}/${key}` }),
    act: async (task, signal) => {
      signal.throwIfAborted();
      const { bucket, key } = task.event;
      const body = task.body();
      const sent = target.send({
        id: sha256(`${task.messageId}\n${body}`),
        group: sha256(`${bucket}/${key}`),
        body,
      });
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      const unwatch = aborts.watch(signal, () => reject(signal.reason));
      try {
        await Promise.race([sent, aborted]);
      } finally {
        unwatch();
      }
      return { outcome: 'done' };
    },
    [Symbol.asyncDispose]: async () => await target[Symbol.asyncDispose](),
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
