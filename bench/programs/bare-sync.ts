import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What an answer that comes after a durable write has to wait for at least: `bare-sync FOLDER SECONDS` appends 4 KiB to a file
 * and makes them durable, again and again, and prints the 99th percentile of one such step in ms.
 */
const [folder = '', seconds = ''] = process.argv.slice(2);
const block = Buffer.alloc(4096, 'x');
const file = openSync(join(folder, 'bare-sync'), 'a');
const endsAt = performance.now() + Number(seconds) * 1000;
const tookMs: number[] = [];
for (let began = performance.now(); began < endsAt; began = performance.now()) {
  writeSync(file, block);
  fdatasyncSync(file);
  tookMs.push(performance.now() - began);
}
closeSync(file);
tookMs.sort((a, b) => a - b);
console.log(tookMs[Math.floor(tookMs.length * 0.99)]);
