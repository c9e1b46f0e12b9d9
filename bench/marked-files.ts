import { closeSync, fchmodSync, futimesSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** How long ago the files seem to have been written, in s: longer than any clock tick. */
const AGE_S = 3600;
const MARKED_MODE = 0o664;

/** Writes `count` files of `bytes` that look as isync leaves them: marked, and untouched since. */
export function writeMarkedFiles(folder: string, count: number, bytes: number): void {
  mkdirSync(folder, { recursive: true });
  const content = Buffer.alloc(bytes, 'm');
  const writtenS = Date.now() / 1000 - AGE_S;
  for (let index = 0; index < count; index++) {
    const file = openSync(join(folder, `marked-${index}`), 'w');
    writeSync(file, content);
    futimesSync(file, writtenS, writtenS);
    fchmodSync(file, MARKED_MODE);
    closeSync(file);
  }
}
