import { IsyncError } from '../model/isync-error.ts';
import { EXIT } from './exit-codes.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Fires on the first SIGINT, SIGTERM or SIGHUP; the second one ends the process at once, unless it is a SIGHUP: shells and
 * service managers send that one beside another.
 */
export interface StopSignal extends Disposable {
  readonly signal: AbortSignal;
}

/** `told` hears of the first one. */
export function stopOnSignal(told: (name: string) => void): StopSignal {
  const controller = new AbortController();
  const stop = (name: string): void => {
    if (controller.signal.aborted) {
      // What is kept and what is marked is whole at any moment, so there is nothing to clean up.
      if (name !== 'SIGHUP') process.exit(EXIT.INTERRUPTED);
      return;
    }
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
