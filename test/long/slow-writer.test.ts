import { lstatSync } from 'node:fs';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import { stopScan } from '../../harness/cli.ts';
import { contentOf, filesBelow, isMarked } from '../../harness/data-tree.ts';
import { startStage, type Edge } from '../../harness/stage.ts';
import { VisibleFiles, type FaultOf } from '../e2e/visible-files.ts';

const CHUNK_BYTES = 50_000;
const CHUNKS = 25;
/** Pause of the slow writer, in ms. */
const PAUSE_MS = 100;
const FAST_FILES = 100;
const FAST_PAUSE_MS = 20;

/** As parsers do: opened once, written in place, closed at the end; `halfway` makes a longer pause in the middle. */
async function writeSlowly(path: string, halfway: () => Promise<unknown>): Promise<void> {
  const content = contentOf('slow', CHUNK_BYTES * CHUNKS);
  await mkdir(dirname(path), { recursive: true });
  await using file = await open(path, 'w');
  for (let at = 0; at < content.length; at += CHUNK_BYTES) {
    await file.write(content, at, CHUNK_BYTES, at);
    await delay(PAUSE_MS);
    if (at === CHUNK_BYTES * Math.floor(CHUNKS / 2)) await halfway();
  }
}

async function writeFast(edge: Edge): Promise<void> {
  for (let index = 0; index < FAST_FILES; index++) {
    await writeFile(join(edge.root, `DC1/fast-${index}`), contentOf(`fast ${index}`, 5000));
    await delay(FAST_PAUSE_MS);
  }
}

/** A slow writer next to a fast one, with the daemon watching. */
async function run(args: readonly string[], faultOf?: FaultOf, pausesUntilSeen = false) {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  await edge.write({ 'DC1/here-before': 10 });
  await using daemon = edge.daemon(args);
  await daemon.until('the watch to stand', () => edge.has('DC1/here-before'));
  const visible = new VisibleFiles(edge.root, edge.copy, faultOf);
  try {
    const slow = join(edge.root, 'DC1/sub/slow');
    const halfway = async (): Promise<unknown> =>
      pausesUntilSeen && (await daemon.until('half of the file', () => isMarked(lstatSync(slow))));
    await Promise.all([writeSlowly(slow, halfway), writeFast(edge)]);
    await daemon.until('every file to be marked', async () =>
      [...(await filesBelow(edge.root)).values()].every(
        (stat) => isMarked(stat) && stat.mtimeMs < stat.ctimeMs,
      ),
    );
  } finally {
    await visible[Symbol.asyncDispose]();
  }
  const { summary } = await stopScan(daemon);
  return { faults: visible.faults, differences: await edge.differences(), files: summary.files };
}

describe.concurrent('a slow writer in place', () => {
  test.skipIf(lacks('inotifywait'))(
    'is waited for with inotifywait, and its file sent once and whole',
    async () => {
      expect(await run(['--complete', 'close-write'])).toEqual({
        faults: [],
        differences: [],
        files: FAST_FILES + 2,
      });
    },
  );

  test('is waited for when its pauses are shorter than --settle', async () => {
    const { faults, differences } = await run(['--complete', 'settle', '--settle', '2000'], noVersion);
    expect({ faults, differences }).toEqual({ faults: [], differences: [] });
  });

  test('ends up whole even when it pauses for longer than --settle', async () => {
    const { faults, differences, files } = await run(
      ['--complete', 'settle', '--settle', '30'],
      noVersion,
      true,
    );
    expect({ faults, differences }).toEqual({ faults: [], differences: [] });
    // The slow one was sent when it was half, and again.
    expect(files).toBeGreaterThan(FAST_FILES + 2);
  });
});

/** Every visible version is one that the writer has had: so many whole chunks of the file. */
async function noVersion(source: string, copy: string): Promise<string | undefined> {
  const seen = await readFile(copy);
  const content = source.endsWith('slow') ? contentOf('slow', CHUNK_BYTES * CHUNKS) : await readFile(source);
  if (source.endsWith('slow') && seen.length % CHUNK_BYTES !== 0) return 'not so many whole chunks';
  return seen.equals(content.subarray(0, seen.length)) ? undefined : 'not what was written';
}
