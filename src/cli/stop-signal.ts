import { IsyncError } from '../model/isync-error.ts';
import { EXIT } from './exit-codes.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Fires on the first SIGINT or SIGTERM; the second one ends the process at once. */
export interface StopSignal extends Disposable {
  readonly signal: AbortSignal;
}

/** `told` hears of the first one. */
export function stopOnSignal(told: (name: string) => void): StopSignal {
  const controller = new AbortController();
  const stop = (name: string): void => {
    // What is kept and what is marked is whole at any moment, so there is nothing to clean up.
    if (controller.signal.aborted) process.exit(EXIT.INTERRUPTED);
    controller.abort(new IsyncError('INTERRUPTED', `stopped by ${name}`));
    told(name);
  };
  for (const name of SIGNALS) process.on(name, stop);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}
