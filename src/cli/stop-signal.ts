import { IsyncError } from '../model/isync-error.ts';
import { EXIT } from './exit-codes.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Fires on the first SIGINT, SIGTERM or SIGHUP. A second SIGINT or SIGTERM ends the process at once. A second SIGHUP does
 * not, because shells and service managers send one beside another signal.
 */
export interface StopSignal extends Disposable {
  readonly signal: AbortSignal;
}

/** Listens for signals until it is disposed; `told` gets the name of the first one. */
export function stopOnSignal(told: (name: string) => void): StopSignal {
  const controller = new AbortController();
  const stop = (name: string): void => {
    if (controller.signal.aborted) {
      // Nothing needs cleaning up: kept and marked files are whole at any moment.
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
