import { close, fdatasync, fsync, open, readFileSync, rename, write } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

/**
 * What the disk can do: `raw-write SIZES.json FOLDER N` writes files of these sizes from memory, N at a time, each
 * to a temporary name, fdatasync, rename; then the folder. Prints the seconds it took.
 */
const [list = '', folder = '', atOnce = '1'] = process.argv.slice(2);
const sizes = JSON.parse(readFileSync(list, 'utf8')) as number[];
/** Written at a time, in bytes: as much as isync does. */
const block = randomBytes(1024 * 1024);
const [openFile, writeBytes, syncData, closeFile, renameFile] = [
  promisify(open),
  promisify(write),
  promisify(fdatasync),
  promisify(close),
  promisify(rename),
];

let next = 0;
const started = performance.now();
await Promise.all(Array.from({ length: Number(atOnce) }, writeOn));
const directory = await openFile(folder, 'r');
await promisify(fsync)(directory);
console.log((performance.now() - started) / 1000);

async function writeOn(): Promise<void> {
  for (let index = next++; index < sizes.length; index = next++) await writeOne(index, sizes[index] ?? 0);
}

async function writeOne(index: number, size: number): Promise<void> {
  const path = join(folder, String(index));
  const file = await openFile(`${path}.tmp`, 'w', 0o644);
  for (let at = 0; at < size; at += block.length)
    await writeBytes(file, block, 0, Math.min(block.length, size - at));
  await syncData(file);
  await closeFile(file);
  await renameFile(`${path}.tmp`, path);
}
