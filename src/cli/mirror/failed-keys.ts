import { type BigIntStats, closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import { IsyncError } from '../../model/isync-error.ts';

/** A list of what failed, a line each, for the next run. */
export interface FailedKeys extends Disposable {
  add(name: string): void;
}

/**
 * Makes the file anew; what is added is there at once, whatever ends the process. Without a path nothing is written.
 * @param list what is read meanwhile; `-`: stdin
 * @throws IsyncError OUTPUT_FAILED; USAGE where it is the list, by whatever name
 */
export function openFailedKeys(path: string | undefined, list: string | undefined): FailedKeys {
  if (path === undefined) return { add: () => {}, [Symbol.dispose]: () => {} };
  if (list !== undefined && isSameFile(path, list))
    throw new IsyncError('USAGE', 'the file for what failed is the list itself, which would be lost', {
      path,
      hint: 'Name another file with --failed.',
    });
  const file = tried(path, () => openSync(path, 'w'));
  return {
    add: (name) => void tried(path, () => writeSync(file, `${name}\n`)),
    [Symbol.dispose]: () => closeSync(file),
  };
}

/** Whether both names lead to one file. Of what is not there nothing can be lost. */
function isSameFile(path: string, list: string): boolean {
  const failed = look(() => statSync(path, { bigint: true }));
  const listed = look(() =>
    list === '-' ? fstatSync(0, { bigint: true }) : statSync(list, { bigint: true }),
  );
  if (failed?.isFile() !== true || listed === undefined) return false;
  return failed.dev === listed.dev && failed.ino === listed.ino;
}

function look(stat: () => BigIntStats): BigIntStats | undefined {
  try {
    return stat();
  } catch {
    return undefined;
  }
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
