import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_BODY_BYTES } from '../../src/events/parse/parse-message.ts';
import type { Random } from '../../harness/random.ts';

const MESSAGES = join(import.meta.dirname, 'messages');

export const HOSTILE_KEYS = [
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

export interface HostileBodies {
  /** Like a recorded one, and yet not. */
  readonly hostile: () => string;
  /** About as long as a message may be, and made to take much memory or time. */
  readonly large: () => string;
}

/** Bodies by chance, made of recorded ones and of `more`. */
export function hostileBodies(random: Random, more: readonly string[] = []): HostileBodies {
  const recorded = [
    ...readdirSync(MESSAGES).map((name) => readFileSync(join(MESSAGES, name), 'utf8')),
    ...more,
  ];
  return { hostile, large };

  function hostile(): string {
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
        return body.replaceAll(
          /"key": ?"[^"]*"/g,
          () => `"key":${JSON.stringify(random.pick(HOSTILE_KEYS))}`,
        );
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
  function large(): string {
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
}

function manyNames(count: number, value: string): string {
  return Array.from({ length: count }, (_, index) => `"${index}":${value}`).join(',');
}
