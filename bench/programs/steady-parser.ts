import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A parser: writes a file every PERIOD ms, and prints at its end when each was closed: a JSON object of microseconds
 * of CLOCK_MONOTONIC, which all processes share, by name.
 *
 *     node steady-parser.ts FOLDER PREFIX COUNT BYTES PERIOD
 */
const [folder = '', prefix = '', count, bytes, periodMs] = process.argv.slice(2);
const content = Buffer.alloc(Number(bytes), 'c');
const still = new Int32Array(new SharedArrayBuffer(4));
const closedUs: Record<string, number> = {};
const start = performance.now();
for (let index = 0; index < Number(count); index++) {
  const waitMs = start + index * Number(periodMs) - performance.now();
  if (waitMs > 0) Atomics.wait(still, 0, 0, waitMs);
  const name = `${prefix}-${index}`;
  const file = openSync(join(folder, name), 'w');
  writeSync(file, content);
  // Before: whoever close(2) wakes up may run first on a busy machine, and would seem to have known ahead.
  closedUs[name] = Number(process.hrtime.bigint() / 1000n);
  closeSync(file);
}
console.log(JSON.stringify(closedUs));
