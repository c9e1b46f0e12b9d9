import { closeSync, openSync, writeSync } from 'node:fs';
import { IsyncError } from '../../model/isync-error.ts';

/** A list of what failed, a line each, for the next run. */
export interface FailedKeys extends Disposable {
  add(name: string): void;
}

/**
 * Makes the file anew; what is added is there at once, whatever ends the process. Without a path nothing is written.
 * @throws IsyncError OUTPUT_FAILED
 */
export function openFailedKeys(path: string | undefined): FailedKeys {
  if (path === undefined) return { add: () => {}, [Symbol.dispose]: () => {} };
  const file = tried(path, () => openSync(path, 'w'));
  return {
    add: (name) => void tried(path, () => writeSync(file, `${name}\n`)),
    [Symbol.dispose]: () => closeSync(file),
  };
}

function tried<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new IsyncError('OUTPUT_FAILED', `the file for what failed can't be written: ${words}`, {
      path,
      cause: error,
      hint: 'Make room on its disk, or name another one with --failed. What was filled is kept.',
    });
  }
}
