import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

/** Node can't map files. */
export const hasPython = ((): boolean => {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn('NOT TESTED without python3: mapped files');
    return false;
  }
})();

// Stores into the file, says so, and stores into the same page again for each line that it is told.
const WRITER = `
import mmap, sys
file = open(sys.argv[1], 'r+b')
map = mmap.mmap(file.fileno(), 0)
map[0:1] = b'1'
print('stored', flush=True)
for line in sys.stdin:
  map[1:2] = b'2'
  print('stored', flush=True)`;

/** Resolves when the file is mapped and stored into, so that its page is dirty; `store` does so again. */
export async function mapFile(file: string): Promise<{ store(): Promise<void> }> {
  const writer = spawn('python3', ['-c', WRITER, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void writer.kill());
  await once(writer.stdout, 'data');
  return {
    async store() {
      writer.stdin.write('\n');
      await once(writer.stdout, 'data');
    },
  };
}
