import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CliProcess } from './process.ts';

/** Most memory that either side may ever take, in bytes, however many files there are. */
export const MAX_MEMORY_BYTES = 250 * 1000 * 1000;

/** Small files that differ from one another, in closed data directories. */
export function writeBacklog(root: string, directories: number, filesEach: number): string[] {
  const names = Array.from({ length: directories }, (_, index) => `DC${index + 1}`);
  for (const name of names) {
    mkdirSync(join(root, name, 'sub'), { recursive: true });
    for (let index = 0; index < filesEach; index++)
      writeFileSync(
        join(root, name, index % 2 === 0 ? `file-${index}` : `sub/file-${index}`),
        `${name} ${index}\n`.repeat((index % 20) + 1),
      );
    writeFileSync(join(root, name, 'finished.parse'), '');
  }
  return names;
}

/** Follows the peak of a process's memory until the scope ends; the process may end before. */
export function followMemory(cli: CliProcess): Disposable & { peakBytes: number } {
  const followed = {
    peakBytes: 0,
    [Symbol.dispose]() {
      clearInterval(timer);
    },
  };
  const timer = setInterval(() => {
    followed.peakBytes = Math.max(followed.peakBytes, cli.peakMemory());
  }, 20);
  return followed;
}
