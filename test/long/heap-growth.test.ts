import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startNode } from '../../harness/process.ts';

const USER = fileURLToPath(new URL('heap-user.ts', import.meta.url));

/** The first is where V8 goes over to collect bit by bit. */
test.each([
  { count: 115_000, about: 38, most: 150 },
  { count: 150_000, about: 50, most: 200 },
])(
  'a process that keeps some $about MB of objects takes no multiple of that for those that pass',
  async ({ count, most }) => {
    await using user = startNode([USER, String(count)]);
    const { stdout } = await user.ended;
    const mostMb = Number(/^(\d+) \d+\n$/.exec(stdout)?.[1]);
    expect(mostMb).toBeGreaterThan(40);
    expect(mostMb).toBeLessThan(most);
  },
);
