import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../events/http-fuzz.ts', import.meta.url));
const BODIES = 100_000;
/** Some 10 s where nothing else runs, half of them to make the bodies; a slow machine may take four times as long. */
const MAX_CPU_S = 60;
/** What makes the bodies takes as much as the webhook: see http-server.test.ts for that alone. */
const MAX_RSS_MIB = 220;

it('a webhook answers 100,000 hostile bodies with 4xx, or parks them, and asks no stranger for anything', async () => {
  const seed = `${Date.now() % 1_000_000}`;
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, seed, `${BODIES}`]).catch(
    (error: unknown) => {
      throw new Error(`with the seed ${seed}`, { cause: error });
    },
  );
  const atLeast = (least: number) => expect.toSatisfy((count: number) => count >= least);
  const below = (most: number) => expect.toSatisfy((value: number) => value < most);
  // All ways are gone often, or it would prove little.
  expect(JSON.parse(stdout), `seed ${seed}`).toMatchObject({
    statuses: {
      200: atLeast(BODIES / 10),
      400: atLeast(BODIES / 10),
      403: atLeast(1000),
      413: atLeast(10),
      415: atLeast(1000),
    },
    published: atLeast(1000),
    parked: atLeast(1000),
    asked: atLeast(1),
    cpuS: below(MAX_CPU_S),
    maxRssMiB: below(MAX_RSS_MIB),
  });
});
