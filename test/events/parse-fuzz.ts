// Parses hostile messages and matches hostile keys: node parse-fuzz.ts SEED COUNT. Prints what came of them as JSON; ends with an
// error at the first thing that must not be. A process of its own, so that its memory tells something.
import { setImmediate } from 'node:timers/promises';
import { join, sep } from 'node:path';
import { parseMessage } from '../../src/events/parse/parse-message.ts';
import type { KeyEncoding, ParsedRecord } from '../../src/events/parse/parsed.ts';
import { isRelPath } from '../../src/model/rel-path.ts';
import { planHeapGrowth } from '../../src/cli/heap-growth.ts';
import { Random } from '../../harness/random.ts';
import { HOSTILE_KEYS, hostileBodies } from './hostile-bodies.ts';
import { keyMapOf } from './key-map-of.ts';

/** One body in so many is as long as a message may be, or longer. */
const LARGE_IN = 2_000;
/** Between so many bodies the process does something else, as one that waits for a queue. */
const YIELD_EACH = 10;
/** Results that are held at a time, as a puller holds those of the messages in hand. */
const HELD = 64;

const MAPS = [
  keyMapOf([
    ['', '/srv/a'],
    ['test-folder', '/srv/b'],
    ['test-folder/inner/', '/srv/a/inner'],
  ]),
  keyMapOf([
    ['a', '/srv/a'],
    ['test-folder/', '/srv/b'],
  ]),
];

planHeapGrowth('sender');
const [seed = '1', count = '1000'] = process.argv.slice(2);
const random = new Random(Number(seed));
const bodies = hostileBodies(random);
const counts = { events: 0, ignored: 0, unparsable: 0, files: 0, folders: 0, refused: 0, other: 0 };
const held: (readonly ParsedRecord[])[] = [];

for (let index = 0; index < Number(count); index++) {
  if (index % YIELD_EACH === 0) await setImmediate();
  const body = index % LARGE_IN === 0 ? bodies.large() : bodies.hostile();
  const keyEncoding = random.pick<KeyEncoding>(['auto', 'form', 'raw']);
  const parsed = parseMessage(body, { keyEncoding });
  held[index % HELD] = parsed;
  for (const record of parsed) {
    if (record.outcome === 'event') match(record.event.key);
    counts[record.outcome === 'event' ? 'events' : record.outcome]++;
  }
  again(random.pick(parsed), keyEncoding);
  match(random.pick(HOSTILE_KEYS));
}
// Rss is in KiB.
console.log(JSON.stringify({ ...counts, maxRssMiB: process.resourceUsage().maxRSS / 1024 }));

function again(record: ParsedRecord, keyEncoding: KeyEncoding): void {
  if (record.outcome === 'ignored') return;
  const second = parseMessage(record.source.body(), { keyEncoding });
  // The source is a function, which JSON leaves out.
  if (JSON.stringify(second) !== JSON.stringify([record]))
    throw new Error(`parsed again it is ${JSON.stringify(second)}, not ${JSON.stringify(record)}`);
}

function match(key: string): void {
  const target = random.pick(MAPS).targetOf(key);
  if (target.kind === 'refused') counts.refused++;
  else if (target.kind === 'file') counts.files++;
  else if (target.kind === 'folder') counts.folders++;
  else counts.other++;
  if (!('path' in target)) return;
  const { folder } = target.mapping;
  const full = join(folder, target.path);
  if (!isRelPath(target.path) || !full.startsWith(folder + sep) || full !== `${folder}/${target.path}`)
    throw new Error(`the key ${JSON.stringify(key)} leads to ${JSON.stringify(full)}`);
}
