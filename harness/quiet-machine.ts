import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Looked at for so long, in ms. */
const LOOK_MS = 1_000;
/** Share of all processors' time that is free on a quiet machine. */
const QUIET = 0.85;
/** What still works then may work for ever. */
const MOST_MS = 120_000;

/** Resolves once nothing else wants the processors, for what V8's threads get of them decides over memory; or after two minutes. */
export async function untilQuiet(): Promise<void> {
  const endMs = performance.now() + MOST_MS;
  for (let before = times(); performance.now() < endMs;) {
    await delay(LOOK_MS);
    const now = times();
    if (now.idle - before.idle >= QUIET * (now.all - before.all)) return;
    before = now;
  }
}

/** Ticks of all processors together since the start: https://man7.org/linux/man-pages/man5/proc_stat.5.html */
function times(): { readonly idle: number; readonly all: number } {
  const [, ...ticks] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!.trim().split(/\s+/);
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, ...rest] = ticks.map(Number);
  const [hard = 0, soft = 0, stolen = 0] = rest;
  return { idle: idle + waiting, all: user + nice + system + idle + waiting + hard + soft + stolen };
}
