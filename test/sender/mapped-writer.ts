import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

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

/** Resolves, with python3 because Node can't map files, when the file is mapped and stored into, so that its page is dirty; `store` does so again. */
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
