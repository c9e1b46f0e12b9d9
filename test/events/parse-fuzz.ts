// Parses hostile messages and matches hostile keys: node parse-fuzz.ts SEED COUNT. Prints what came of them as JSON; ends with an
// error at the first thing that must not be. A process of its own, so that its memory tells something.
import { setImmediate } from 'node:timers/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { MAX_BODY_BYTES, parseMessage } from '../../src/events/parse/parse-message.ts';
import type { KeyEncoding, ParsedRecord } from '../../src/events/parse/parsed.ts';
import { isRelPath } from '../../src/model/rel-path.ts';
import { planHeapGrowth } from '../../src/cli/heap-growth.ts';
import { Random } from '../../harness/random.ts';
import { keyMapOf } from './key-map-of.ts';

const MESSAGES = join(import.meta.dirname, 'messages');
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
const HOSTILE_KEYS = [
  '../../etc/passwd',
  '..%2F..%2Fetc%2Fpasswd',
  '/etc/passwd',
  '%2e%2e/%2e%2e/x',
  'test-folder/../x',
  'test-folder//x',
  'test-folder/inner/..',
  '.isync/staging/x',
  'inner/.isync/x',
  'inner/.ISYNC',
  'a\0b',
  'a%00b',
  '%C0%AE%C0%AE/x',
  '%',
  '%E0%A4',
  '\uD800',
  '\u202Egpj.exe',
  'x/'.repeat(500),
  'x'.repeat(5000),
  '%2F'.repeat(300),
  '.',
  '..',
  '/',
  '__proto__',
  'constructor/prototype',
  'C:\\..\\x',
  'test-folder/\n',
  'test-folder/sub/',
  'a/sub/',
];
const HOSTILE_JSON = [
  '{"__proto__":{"Records":[{}],"eventName":"ObjectCreated:Put"}}',
  '{"constructor":{"prototype":{}}}',
  '{"toString":1,"valueOf":1}',
  '[[[[[[[[]]]]]]]]',
  '1e999',
  '-0',
  '123456789012345678901234567890',
  'null',
  'true',
  '""',
  '[]',
  '{}',
  '{"length":4294967295}',
  '"\\ud800"',
];

planHeapGrowth('sender');
const [seed = '1', count = '1000'] = process.argv.slice(2);
const random = new Random(Number(seed));
const recorded = readdirSync(MESSAGES).map((name) => readFileSync(join(MESSAGES, name), 'utf8'));
const counts = { events: 0, ignored: 0, unparsable: 0, files: 0, folders: 0, refused: 0, other: 0 };
const held: (readonly ParsedRecord[])[] = [];

for (let index = 0; index < Number(count); index++) {
  if (index % YIELD_EACH === 0) await setImmediate();
  const body = index % LARGE_IN === 0 ? largeBody() : hostileBody();
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

function hostileBody(): string {
  let body = random.pick(recorded);
  for (let changes = random.int(1, 4); changes > 0; changes--) body = changed(body);
  return random.chance(0.1) ? JSON.stringify({ Type: 'Notification', Message: body }) : body;
}

function changed(body: string): string {
  switch (random.below(7)) {
    case 0:
      return body.slice(0, random.below(body.length + 1));
    case 1:
      return splice(body, random.pick(HOSTILE_JSON));
    case 2:
      return splice(body, random.bytes(random.int(1, 4)).toString('latin1'));
    case 3:
      return body.replaceAll(/"key": ?"[^"]*"/g, () => `"key":${JSON.stringify(random.pick(HOSTILE_KEYS))}`);
    case 4:
      return anyValue(body, random.pick(HOSTILE_JSON));
    case 5: {
      const records = Array.from({ length: random.int(0, 5) }, () => random.pick(recorded));
      return `{"Records":[${records.join(',')},${random.pick(HOSTILE_JSON)}]}`;
    }
    default:
      return body.replace(/"Records": ?\[/, (opening) => `${opening}${random.pick(HOSTILE_JSON)},`);
  }
}

/** Puts `value` in the place of a value that is a text or a number. */
function anyValue(body: string, value: string): string {
  const places = [...body.matchAll(/: ?("[^"]*"|\d+)/g)];
  if (places.length === 0) return body;
  const { index, 0: found } = random.pick(places);
  return `${body.slice(0, index)}:${value}${body.slice(index + found.length)}`;
}

function splice(body: string, text: string): string {
  const at = random.below(body.length + 1);
  return body.slice(0, at) + text + body.slice(at + random.below(4));
}

/** What takes most memory when parsed, or most time. */
function largeBody(): string {
  const room = MAX_BODY_BYTES - 100 + random.below(200);
  switch (random.below(7)) {
    case 0:
      return `{"Records":[{"x":${'['.repeat(room / 2)}${']'.repeat(room / 2)}},{}]}`;
    case 1:
      return `{"Records":[{"x":${'['.repeat(39_000)}${']'.repeat(39_000)}},{}]}`;
    case 2:
      return `{"Records":[{},{"x":[${'{},'.repeat(room / 3)}{}]}]}`;
    case 3:
      return `{"Records":[${'{},'.repeat(9_990)}{"x":"${'\\\\'.repeat(room / 2 - 20_000)}"}]}`;
    case 4:
      return `{${manyNames(38_000, '[]')},"Records":[{},{}]}`;
    case 5:
      return `{"Records":[{},{${manyNames(90_000, '0')}}]}`;
    default:
      return `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"${'%2F'.repeat(room / 3)}"}}},7]}`;
  }
}

function manyNames(count: number, value: string): string {
  return Array.from({ length: count }, (_, index) => `"${index}":${value}`).join(',');
}
