import { closeSync, openSync } from 'node:fs';
import { IsyncError } from '../model/isync-error.ts';
import { EXIT } from './exit-codes.ts';

/**
 * From the first signal to the cut, in ms. Senders and receivers let what is in flight end for 10 s; their own deadline comes
 * first, so that nobody is told of a cut as of a fault.
 */
const CUT_AFTER_MS = 10_500;
/**
 * The same signal again so soon after the first, in ms, is the same request: timeout(1), npm and terminals have it sent to a process and
 * to its group. Shorter than a person takes to ask twice.
 */
const SAME_REQUEST_MS = 200;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type StopName = (typeof SIGNALS)[number];

/**
 * Fires on the first SIGINT, SIGTERM or, unless `onReload` takes it, SIGHUP. A second SIGINT or SIGTERM ends the process at once, unless it is
 * the first one once more within {@link SAME_REQUEST_MS}. A second SIGHUP does not, because shells and service managers send one beside another
 * signal.
 */
export interface StopSignal extends Disposable {
  readonly signal: AbortSignal;
  /** Fires some seconds later: whatever still waits for a server gives up then. */
  readonly cut: AbortSignal;
  /**
   * Has SIGHUP call it, where no terminal could have hung up: started from one, SIGHUP means its end.
   */
  onReload(reload: () => void): void;
}

/**
 * Listens for signals until it is disposed; `told` gets the name of the first one.
 * @param cutAfterMs from the signal to the cut
 */
export function stopOnSignal(told: (name: string) => void, cutAfterMs = CUT_AFTER_MS): StopSignal {
  const controller = new AbortController();
  const cut = new AbortController();
  const hasTerminal = isOnTerminal();
  let timer: NodeJS.Timeout | undefined;
  let reload: (() => void) | undefined;
  let first: { readonly name: StopName; readonly atMs: number } | undefined;
  const stop = (name: StopName): void => {
    if (first !== undefined) {
      const isSameRequest = name === first.name && performance.now() - first.atMs < SAME_REQUEST_MS;
      // Nothing needs cleaning up: kept and marked files are whole at any moment.
      if (name !== 'SIGHUP' && !isSameRequest) process.exit(EXIT.INTERRUPTED);
      return;
    }
    if (name === 'SIGHUP' && reload !== undefined && !hasTerminal) {
      reload();
      return;
    }
    first = { name, atMs: performance.now() };
    const stopped = new IsyncError('INTERRUPTED', `stopped by ${name}`);
    controller.abort(stopped);
    // The same file can come again as it is: what is there of it is kept.
    const reason = new IsyncError('INTERRUPTED', `${stopped.message}, and cut`, { retryable: true });
    timer = setTimeout(() => cut.abort(reason), cutAfterMs).unref();
    told(name);
  };
  for (const name of SIGNALS) process.on(name, stop);
  return {
    signal: controller.signal,
    cut: cut.signal,
    onReload: (called) => void (reload = called),
    [Symbol.dispose]() {
      clearTimeout(timer);
      if (first !== undefined) ignoreAgain(first.name);
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}

/** A process that is quick to end gets the same request once more at its very end, and must not be killed by it. */
function ignoreAgain(name: StopName): void {
  process.on(name, ignoreSignal);
  setTimeout(() => process.off(name, ignoreSignal), SAME_REQUEST_MS).unref();
}

function ignoreSignal(): void {}

/** Whether the process has a controlling terminal: https://man7.org/linux/man-pages/man4/tty.4.html */
function isOnTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    // ENXIO: a service manager, cron or setsid started it.
    return false;
  }
}
