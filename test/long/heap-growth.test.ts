import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startNode } from '../../harness/process.ts';

const USER = fileURLToPath(new URL('heap-user.ts', import.meta.url));

test('a process that keeps some 50 MB of objects takes no multiple of that for those that pass', async () => {
  await using user = startNode([USER, '150000']);
  const { stdout } = await user.ended;
  const mostMb = Number(/^(\d+) 150000\n$/.exec(stdout)?.[1]);
  expect(mostMb).toBeGreaterThan(40);
  expect(mostMb).toBeLessThan(200);
});
