import { createCipheriv } from 'node:crypto';
import { chmodSync, closeSync, mkdirSync, openSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../harness/random.ts';
import { differences, filesBelow } from '../harness/data-tree.ts';

const DIRECTORY = 'DC1';
/** Written at a time, in bytes. */
const BLOCK_BYTES = 1024 * 1024;
const SEED = 20_260_101;

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/** What is transferred: one closed data directory. */
export interface DataSet {
  readonly root: string;
  readonly sizes: readonly number[];
  readonly bytes: number;
}

export function equalSizes(count: number, size: number): number[] {
  return Array.from({ length: count }, () => size);
}

/** `count` log-normal sizes from `least` to `most`, `total` bytes in all; the same each time. */
export function mixedSizes(count: number, total: number, least: number, most: number): number[] {
  const random = new Random(SEED);
  const uniform = (): number => (random.next() + 1) / 2 ** 32;
  // Box and Muller: a normal deviate of two uniform ones.
  const deviates = Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
  // Most of the files are small, most of the bytes are in large ones.
  const sigma = 1.5;
  const sizesAt = (mu: number): number[] =>
    deviates.map((z) => Math.round(Math.min(most, Math.max(least, Math.exp(mu + sigma * z)))));
  let [low, high] = [Math.log(least), Math.log(most)];
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2;
    if (sum(sizesAt(middle)) <= total) low = middle;
    else high = middle;
  }
  const sizes = sizesAt(low);
  const rest = total - sum(sizes);
  const taker = sizes.findIndex((size) => size + rest <= most);
  sizes[taker] = sizes[taker]! + rest;
  return sizes;
}

/** Tells the next bytes of a data set. */
export type Content = (length: number) => Buffer;

/** Bytes that don't compress and repeat nowhere. */
export function incompressible(): Content {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16, 2));
  const zeros = Buffer.alloc(BLOCK_BYTES);
  return (length) => cipher.update(zeros.subarray(0, length));
}

/** Writes files of these sizes, then the parser's marker. */
export function writeFiles(root: string, sizes: readonly number[], content = incompressible()): DataSet {
  mkdirSync(join(root, DIRECTORY), { recursive: true });
  for (const [index, size] of sizes.entries()) {
    const file = openSync(join(root, pathOf(index)), 'w', 0o644);
    for (let at = 0; at < size; at += BLOCK_BYTES) writeSync(file, content(Math.min(BLOCK_BYTES, size - at)));
    closeSync(file);
  }
  closeSync(openSync(join(root, DIRECTORY, 'finished.parse'), 'w', 0o644));
  return { root, sizes, bytes: sum(sizes) };
}

/** Makes a data set as it was before any transfer: without marks, without our marker. */
export function resetFiles({ root, sizes }: DataSet): void {
  for (const index of sizes.keys()) chmodSync(join(root, pathOf(index)), 0o644);
  chmodSync(join(root, DIRECTORY, 'finished.parse'), 0o644);
  rmSync(join(root, DIRECTORY, 'finished.watch'), { force: true });
}

/** Rejects unless `copy` holds all files of the data set; with `thorough` also their bytes and mtimes are compared. */
export async function checkCopy(data: DataSet, copy: string, thorough: boolean): Promise<void> {
  const files = await filesBelow(copy);
  files.delete(`${DIRECTORY}/finished.parse`);
  const bytes = sum([...files.values()].map(({ size }) => size));
  if (files.size !== data.sizes.length || bytes !== data.bytes)
    throw new Error(
      `${copy} holds ${files.size} files of ${bytes} bytes instead of ${data.sizes.length} of ${data.bytes}`,
    );
  if (!thorough) return;
  const faults = await differences(data.root, copy);
  if (faults.length > 0)
    throw new Error(`${copy}: ${faults.slice(0, 3).join(', ')}, ${faults.length} in all`);
}

/**
 * Gives the room of all files below a folder back and leaves them there: for minutes after a file is deleted, ext4
 * looks at its inode again for every file that is made, which would make the next run of anybody several times slower.
 */
export async function emptyFiles(folder: string): Promise<void> {
  for (const path of (await filesBelow(folder)).keys()) truncateSync(join(folder, path));
}

function pathOf(index: number): string {
  return join(DIRECTORY, `file-${String(index).padStart(6, '0')}.bin`);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
