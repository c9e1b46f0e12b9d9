import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { PathOrder } from '../../src/flow/path-order.ts';
import { Random } from '../../harness/random.ts';
import { keysBelow, readBack } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { ActionStage } from '../events/action-stage.ts';

const KEYS = ['a/f', 'a/d/g', 'a/d/e/h', 'b/f2', 'b/d/g2', 'c/x/y/z', 'c/x/', 'c/w'];
const STEPS = 120;
/** Of some objects, in bytes: in memory, and in a stream. */
const SIZES = [0, 40, 5000, 1_500_000];

await withS3Server((server) => {
  it.each([1, 2])(
    'folders equal the bucket, whatever the order of the events, and nothing half is ever seen: %i',
    async (seed) => {
      const stage = await ActionStage.start(server, {
        sync: [
          ['a/', 'in'],
          ['b/', 'in'],
          ['c/', 'in/c'],
        ],
      });
      const random = new Random(seed);
      const order = new PathOrder<string>();
      const pathOf = (key: string): string => (key.startsWith('c/') ? `in/${key}` : `in/${key.slice(2)}`);
      const over = new AbortController();
      const reading = readAll(
        KEYS.filter((key) => !key.endsWith('/')).map((key) => [key, stage.path(pathOf(key))]),
        over.signal,
      );
      const look = async (key: string): Promise<void> => {
        const outcome = await order.run(key, () =>
          stage.apply(random.pick(['created', 'removed'] as const), key, { isLastLook: true }),
        );
        expect(['written', 'removed', 'unchanged']).toContain(outcome.outcome);
      };
      const looks: Promise<void>[] = [];
      for (let step = 0; step < STEPS; step++) {
        const key = random.pick(KEYS);
        if (random.chance(0.35)) await stage.delete(key);
        else await stage.put(key, key.endsWith('/') ? '' : contentOf(key, step, random.pick(SIZES)));
        // Some events are late, some come twice, and some tell of other keys.
        for (const told of [key, random.pick(KEYS)]) if (random.chance(0.7)) looks.push(look(told));
      }
      await Promise.all(looks);
      await Promise.all(KEYS.map((key) => look(key)));
      over.abort();
      const seen = await reading;
      expect(seen.torn).toEqual([]);
      expect(seen.whole).toBeGreaterThan(0);
      const kept = await keysBelow(server, stage.bucket);
      for (const key of KEYS) {
        expect([key, existsSync(stage.path(pathOf(key)))]).toEqual([
          key,
          kept.includes(key) || (key === 'c/x/' && kept.includes('c/x/y/z')),
        ]);
        if (!kept.includes(key) || key.endsWith('/')) continue;
        const { sha256 } = await readBack(server, stage.bucket, key);
        expect(
          createHash('sha256')
            .update(readFileSync(stage.path(pathOf(key))))
            .digest('hex'),
        ).toBe(sha256);
      }
      expect([...stage.state.list(stage.bucket, '')].map(({ key }) => key)).toEqual(kept);
    },
  );
});

/** Reads files, again and again, until the signal fires; tells how many were whole, and which were not. */
async function readAll(
  files: readonly (readonly [key: string, path: string])[],
  signal: AbortSignal,
): Promise<{ readonly whole: number; readonly torn: readonly string[] }> {
  let whole = 0;
  const torn: string[] = [];
  while (!signal.aborted) {
    for (const [key, path] of files) {
      const bytes = bytesAt(path);
      if (bytes === undefined) continue;
      if (isWhole(key, bytes)) whole += 1;
      else torn.push(`${key}: ${bytes.length} bytes`);
    }
    await setImmediate();
  }
  return { whole, torn };
}

/** Bytes that tell which key they are of, and whether they are whole. */
function contentOf(key: string, step: number, size: number): Buffer {
  const body = Buffer.concat([Buffer.from(`${key} ${step} `), Buffer.alloc(size, step % 256)]);
  return Buffer.concat([createHash('md5').update(body).digest(), body]);
}

function isWhole(key: string, bytes: Buffer): boolean {
  const body = bytes.subarray(16);
  return (
    createHash('md5').update(body).digest().equals(bytes.subarray(0, 16)) &&
    body.subarray(0, key.length + 1).toString() === `${key} `
  );
}

function bytesAt(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined; // Not there now.
  }
}
