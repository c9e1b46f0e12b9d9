/** Files that are written through a memory map: only the first store into a page changes their times. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import type { Target } from '../../src/sender/target.ts';
import { lacks } from '../../harness/tools.ts';
import { bound, follow, isMarked, setup } from './scan-fixture.ts';

const PATH = parseRelPath('DC1/a');
/** Node can't map files. */
const noPython = lacks('python3');

// Stores into the file, says so, and at each line that it is told stores into the same page and closes the file.
const WRITER = `
import mmap, sys
file = open(sys.argv[1], 'r+b')
map = mmap.mmap(file.fileno(), 0)
map[0:1] = b'1'
print('stored', flush=True)
sys.stdin.readline()
map[1:2] = b'2'
map.close()
file.close()
print('closed', flush=True)`;

/** Resolves when the file is mapped and stored into; what it resolves to stores again and closes it. */
async function map(file: string): Promise<() => Promise<void>> {
  const writer = spawn('python3', ['-c', WRITER, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void writer.kill());
  await once(writer.stdout, 'data');
  return async () => {
    writer.stdin.write('\n');
    await once(writer.stdout, 'data');
  };
}

async function expectKept(target: Target, file: string): Promise<void> {
  await vi.waitFor(async () => {
    const [record] = await target.look([PATH], { digest: true });
    expect(record?.digest?.toString('hex')).toBe(digestOf('xxh64', readFileSync(file)).toString('hex'));
  }, 60_000);
}

test.skipIf(noPython)('what a mapped file got after it was sent is sent when it is closed', async () => {
  const { root, target, at, write } = setup();
  write(PATH, 'content');
  const close = await map(at(PATH));
  follow(root, target, { complete: 'close-write' });
  await vi.waitFor(() => expect(isMarked(at(PATH))).toBe(true), 60_000);
  await close();
  await expectKept(target, at(PATH));
});

test.skipIf(noPython)('what it got while it was on its way is sent too', async () => {
  const { root, target, at, write } = setup();
  write(PATH, 'content');
  const close = await map(at(PATH));
  const read = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  const slow: Target = {
    ...bound(target),
    put: async (file, options) => {
      const receipt = await target.put(file, options);
      read.resolve();
      await told.promise;
      return receipt;
    },
  };
  follow(root, slow, { complete: 'close-write' });
  await read.promise;
  await close();
  // Closed after that one, so told after it.
  write('DC1/b');
  await vi.waitFor(
    async () => expect(await target.look([parseRelPath('DC1/b')])).not.toEqual([undefined]),
    60_000,
  );
  told.resolve();
  await expectKept(target, at(PATH));
});
