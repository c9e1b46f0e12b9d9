import { mkdir, open, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Pause after each file, in ms, so that one can watch it happen. */
const FILE_PAUSE_MS = 35;
/** Pause between two stretches of a large file, which is written in place as parsers do. */
const STRETCH_PAUSE_MS = 20;
const STRETCH_BYTES = 512 * 1024;

/** Bytes of the files of each data directory, in the order in which they are written. */
const SIZES = [
  0, 120, 3_000, 40_000, 700, 64_000, 1_500_000, 9_000, 0, 250, 130_000, 17, 5_000_000, 2_200, 33_000, 800,
  65_536, 65_537, 12, 4_096, 400_000, 1, 90, 2_500_000, 10_000, 6_000, 350, 77_000, 1_000, 20,
];

/** Stands for the user's own software: fills one data directory after the other and closes all but the last. */
async function main(root: string, directories: readonly string[]): Promise<void> {
  for (const [index, name] of directories.entries()) {
    const folder = join(root, name);
    await mkdir(folder, { recursive: true });
    await fill(folder, name);
    if (index < directories.length - 1) await writeFile(join(folder, 'finished.parse'), '');
  }
}

async function fill(folder: string, name: string): Promise<void> {
  for (const [index, size] of SIZES.entries()) {
    const depth = ['', 'camera', 'camera/left', 'lidar/2024/raw'][index % 4] ?? '';
    const path = join(folder, depth, `${name}-${String(index + 1).padStart(3, '0')}.dat`);
    await mkdir(dirname(path), { recursive: true });
    await writeInPlace(path, size, index);
    await delay(FILE_PAUSE_MS);
  }
}

async function writeInPlace(path: string, size: number, seed: number): Promise<void> {
  await using file = await open(path, 'w');
  for (let at = 0; at < size; at += STRETCH_BYTES) {
    const bytes = Buffer.alloc(Math.min(STRETCH_BYTES, size - at), `${path} ${seed} ${at} `);
    await file.write(bytes, 0, bytes.length, at);
    if (size > STRETCH_BYTES) await delay(STRETCH_PAUSE_MS);
  }
}

const [root = '.', ...directories] = process.argv.slice(2);
await main(root, directories);
