import { expect, it } from 'vitest';
import { Random } from '../../harness/random.ts';
import { parseTarget } from '../../src/mirror/key.ts';
import { MirrorRules, originKeyOf } from '../../src/mirror/rules.ts';
import { refusal } from '../../harness/hostile-origin.ts';
import { hostileTarget } from '../mirror/hostile-targets.ts';
import { hostile, originAt, ruleOf } from '../mirror/origin/origins.ts';

const SEED = Number(process.env['ISYNC_TEST_SEED'] ?? 20261126);
const PATHS = 20_000;
/** Requests at a time. */
const WIDTH = 16;
const BASE = '/base/path/';

/** Rules that cut and prefix keys, also within a segment. */
const RULES = [
  ruleOf({ matches: (key) => key.startsWith('a'), key: { strip: 'a', add: '' } }),
  ruleOf({ matches: (key) => key.startsWith('b'), key: { strip: 'b/', add: '.' }, query: 'pass' }),
  ruleOf({
    matches: (key) => key.startsWith('img/'),
    key: { strip: 'img/', add: 'pictures' },
    query: 'pass',
  }),
  ruleOf(),
];

it(`no path of ${PATHS} leaves the host and the base of its origin (seed ${SEED})`, async () => {
  const random = new Random(SEED);
  const rules = new MirrorRules(RULES);
  const server = await hostile(refusal(404));
  const origin = originAt(`${server.url}${BASE}`);
  const signal = new AbortController().signal;
  const expected: string[] = [];
  const counts = { refused: 0, stopped: 0 };

  async function send(target: string): Promise<void> {
    const parsed = parseTarget(target);
    if (parsed.kind !== 'key') {
      counts.refused++;
      return;
    }
    const key = rules.keyOf(parsed.path, parsed.query);
    const rule = rules.ruleOf(parsed.path);
    const asked = key && rule && originKeyOf(rule, key);
    if (asked === undefined) {
      counts.stopped++;
      return;
    }
    expected.push(asked.key + (asked.query === undefined ? '' : `?${asked.query}`));
    expect(await origin.ask('GET', asked, signal)).toEqual({ kind: 'absent' });
    const url = origin.urlOf(asked) ?? '';
    expect(url.slice(0, server.url.length + BASE.length)).toBe(`${server.url}${BASE}`);
    // Also by those who make a URL of it, as browsers do with a Location.
    expect(new URL(url).origin).toBe(server.url);
    expect(new URL(url).pathname.slice(0, BASE.length)).toBe(BASE);
  }

  const targets = Array.from({ length: PATHS }, () => hostileTarget(random));
  const next = targets.values();
  await Promise.all(
    Array.from({ length: WIDTH }, async () => {
      for (const target of next) await send(target);
    }),
  );

  const asked = server.asked.map(({ target, headers }) => {
    expect(target.slice(0, BASE.length)).toBe(BASE);
    expect(headers['host']).toBe(`127.0.0.1:${server.port}`);
    const [path = '', ...query] = target.split('?');
    const key = decodeURIComponent(path.slice(BASE.length));
    expect(key).not.toMatch(/(^|[/\\])\.\.?($|[/\\])/);
    return [key, ...query].join('?');
  });
  expect(asked.toSorted()).toEqual(expected.toSorted());
  // All three ends were met often enough to say something.
  expect(asked.length).toBeGreaterThan(PATHS / 10);
  expect(counts.refused).toBeGreaterThan(PATHS / 10);
  expect(counts.stopped).toBeGreaterThan(PATHS / 1000);
});
