import { spawn } from 'node:child_process';
import { watch } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * Sees from outside when files arrive: when each appears under its name in FOLDER, and, with SOURCE, when the mode of
 * the original there is changed, which is the mark. Says `ready`, ends when COUNT of each have been seen, and prints a
 * JSON object of both: microseconds of CLOCK_MONOTONIC by name. What it tells is late by its own wake-up, never early.
 *
 *     node arrivals.ts FOLDER PREFIX COUNT [SOURCE]
 */
const [folder = '', prefix = '', count, source] = process.argv.slice(2);
const appearedUs: Record<string, number> = {};
const markedUs: Record<string, number> = {};

const appearing = see(appearedUs);
const marking = see(markedUs);
watch(folder, (kind, name) => {
  // Temporary names, as rsync has them, begin with a dot.
  if (kind === 'rename' && name !== null) appearing.saw(name);
});
if (source === undefined) console.log('ready');
else {
  const child = spawn('inotifywait', ['-m', '-e', 'attrib', '--format', '%f', source]);
  process.on('exit', () => child.kill());
  createInterface(child.stdout).on('line', (name) => marking.saw(name));
  createInterface(child.stderr).on('line', (line) => {
    if (line.includes('Watches established')) console.log('ready');
  });
}
await appearing.all;
if (source !== undefined) await marking.all;
console.log(JSON.stringify({ appearedUs, markedUs }));
process.exit();

function see(seenUs: Record<string, number>) {
  let left = Number(count);
  const all = Promise.withResolvers<void>();
  return {
    all: all.promise,
    saw(name: string) {
      const nowUs = Number(process.hrtime.bigint() / 1000n);
      if (!name.startsWith(`${prefix}-`) || name in seenUs) return;
      seenUs[name] = nowUs;
      if (--left === 0) all.resolve();
    },
  };
}
