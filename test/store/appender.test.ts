import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { contentOf } from '../../harness/data-tree.ts';
import { appendInPool, DirectAppender } from '../../src/store/file/appender.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

const CONTENT = contentOf('bytes', 1_000_003);
/** None of them ends where a write does. */
const CUTS = [0, 1, 1, 131_073, 600_000, CONTENT.length];

afterEach(() => void vi.restoreAllMocks());

it.each([
  ['by the thread pool', () => appendInPool, 0],
  ['from this thread', () => new DirectAppender().append, 0],
  ['by both in turns, where the disk is slow', () => new DirectAppender().append, 60],
])('writes all chunks one after the other %s', async (_, appender, stepMs) => {
  const path = join(temporaryFolder(), 'f');
  let nowMs = 0;
  if (stepMs > 0) vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += stepMs));
  await using handle = await open(path, 'w+');
  const inPool = vi.spyOn(handle, 'writev');
  const append = appender();
  const chunks = CUTS.slice(1).map((end, index) => CONTENT.subarray(CUTS[index], end));
  await append(handle, chunks.slice(0, 2), 0);
  await append(handle, chunks.slice(2), 1);
  expect(readFileSync(path).equals(CONTENT)).toBe(true);
  expect(inPool.mock.calls.length > 0).toBe(stepMs > 0 || append === appendInPool);
});
