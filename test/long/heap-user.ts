import { setImmediate as nextTurn } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { planHeapGrowth } from '../../src/cli/heap-growth.ts';

// Keeps so many objects, and makes others that are let go of once they are old. Prints the most memory that all took, in MB.
const kept = Number(process.argv[2]);
const TURNS = 1000;
const A_TURN = 2000;
const LIVES = 50_000;

planHeapGrowth('receiver');
const alive: unknown[] = [];
for (let n = 0; n < kept; n++) {
  alive.push({ name: `object ${n}`, at: [n, n, n] });
  if (n % A_TURN === 0) await nextTurn();
}
const passing: unknown[] = [];
let most = 0;
for (let turn = 0; turn < TURNS; turn++) {
  for (let n = 0; n < A_TURN; n++)
    passing[(turn * A_TURN + n) % LIVES] = { text: `passing ${turn} ${n}`.padEnd(200, '.'), at: [turn, n] };
  most = Math.max(most, getHeapStatistics().used_heap_size);
  await nextTurn();
}
console.log(Math.round(most / 1e6), alive.length);
