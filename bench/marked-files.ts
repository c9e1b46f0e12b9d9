import { closeSync, fchmodSync, futimesSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** How long ago the files seem to have been written, in s: longer than any clock tick. */
const AGE_S = 3600;
const MARKED_MODE = 0o664;
const KEPT_MODE = 0o644;

/**
 * Writes `count` files of `bytes` that look as isync leaves them: marked, untouched since, and kept in `copy` at the target.
 */
export function writeMarkedFiles(folder: string, copy: string, count: number, bytes: number): void {
  const content = Buffer.alloc(bytes, 'm');
  // Not a whole second, which two versions of a file may share.
  const writtenS = Math.floor(Date.now() / 1000) - AGE_S + 0.25;
  for (const [where, mode] of [
    [copy, KEPT_MODE],
    [folder, MARKED_MODE],
  ] as const) {
    mkdirSync(where, { recursive: true });
    for (let index = 0; index < count; index++) {
      const file = openSync(join(where, `marked-${index}`), 'w');
      writeSync(file, content);
      futimesSync(file, writtenS, writtenS);
      fchmodSync(file, mode);
      closeSync(file);
    }
  }
}
