import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../events/parse-fuzz.ts', import.meta.url));
const BODIES = 100_000;
/** What a puller may take, all in all: 200 MB. */
const MAX_RSS_MIB = 200e6 / 1024 ** 2;

it('parses and matches 100,000 hostile messages and keys: throws nothing, leads nowhere outside, stays small', async () => {
  const seed = `${Date.now() % 1_000_000}`;
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, seed, `${BODIES}`]).catch(
    (error: unknown) => {
      throw new Error(`with the seed ${seed}`, { cause: error });
    },
  );
  const counts: unknown = JSON.parse(stdout);
  // All ways are gone often, or it would prove little.
  const often = expect.toSatisfy((count: number) => count > BODIES / 100);
  expect(counts, `seed ${seed}`).toMatchObject({
    events: often,
    ignored: often,
    unparsable: often,
    files: often,
    folders: expect.toSatisfy((count: number) => count > 0),
    refused: often,
    other: often,
    maxRssMiB: expect.toSatisfy((mib: number) => mib < MAX_RSS_MIB),
  });
});
