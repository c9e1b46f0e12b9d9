import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyMap } from '../../src/events/match/key-map.ts';
import { isRelPath } from '../../src/model/rel-path.ts';
import { keyMapOf, type Pairs } from './key-map-of.ts';

const EXAMPLE: Pairs = [
  ['test-folder/', '/srv/a'],
  ['test-folder/folder-01/', '/srv/b'],
  ['a/', '/etc/isync/b'],
  ['cc/', '/etc/isync/b'],
];

describe.each<[string, Pairs, readonly (readonly [string, string])[]]>([
  [
    'the example',
    EXAMPLE,
    [
      ['test-folder/x.html', 'file /srv/a x.html'],
      ['test-folder/x/y.html', 'file /srv/a x/y.html'],
      ['test-folder/folder-01/x/y.html', 'file /srv/b x/y.html'],
      ['test-folder/folder-01', 'file /srv/a folder-01'],
      ['test-folder/folder-01/', 'root /srv/b'],
      ['test-folder/folder-012/x', 'file /srv/a folder-012/x'],
      ['test-folder/', 'root /srv/a'],
      ['test-folder/sub/', 'folder /srv/a sub'],
      ['test-folder/sub/deep/', 'folder /srv/a sub/deep'],
      ['test-folder', 'unmatched'],
      ['test-folder2/x', 'unmatched'],
      ['Test-Folder/x', 'unmatched'],
      ['x/test-folder/y', 'unmatched'],
      ['/test-folder/y', 'unmatched'],
      ['a/x', 'file /etc/isync/b x'],
      ['cc/x', 'file /etc/isync/b x'],
      ['c/x', 'unmatched'],
      ['', 'unmatched'],
    ],
  ],
  [
    'a prefix without its final "/"',
    [['web', '/srv/web']],
    [
      ['web/x', 'file /srv/web x'],
      ['web/', 'root /srv/web'],
      ['web', 'unmatched'],
      ['website/x', 'unmatched'],
      ['webs', 'unmatched'],
    ],
  ],
  [
    'the whole bucket, and a folder in it that lies elsewhere',
    [
      ['', '/srv/all'],
      ['logs', '/var/logs'],
    ],
    [
      ['x', 'file /srv/all x'],
      ['x/', 'folder /srv/all x'],
      ['logs', 'file /srv/all logs'],
      ['logs/', 'root /var/logs'],
      ['logs/1', 'file /var/logs 1'],
      ['', 'root /srv/all'],
      ['/', 'refused: has an empty segment'],
      ['/etc/passwd', 'refused: has an empty segment'],
      ['..', 'refused: has a ".." segment'],
      ['../x', 'refused: has a ".." segment'],
      ['x/../../y', 'refused: has a ".." segment'],
      ['x/./y', 'refused: has a "." segment'],
      ['.', 'refused: has a "." segment'],
      ['x//y', 'refused: has an empty segment'],
      ['x//', 'refused: has an empty segment'],
      ['x/..', 'refused: has a ".." segment'],
      ['../', 'refused: has a ".." segment'],
      ['logs//', 'refused: has an empty segment'],
      ['logs//1', 'refused: has an empty segment'],
      ['logs/../x', 'refused: has a ".." segment'],
      ['x\0y', 'refused: has a NUL character'],
      ['\uD800', 'refused: is not well-formed Unicode'],
      ['x'.repeat(256), 'refused: has a segment over 255 bytes'],
      ['д'.repeat(128), 'refused: has a segment over 255 bytes'],
      ['x/'.repeat(3000), 'refused: is longer than 4096 bytes'],
      ['x/'.repeat(130), 'refused: has more than 129 segments'],
      ['...', 'file /srv/all ...'],
      ['..x', 'file /srv/all ..x'],
      ['a\\..\\b', 'file /srv/all a\\..\\b'],
      ['C:\\x', 'file /srv/all C:\\x'],
      ['a b\n', 'file /srv/all a b\n'],
      ['__proto__', 'file /srv/all __proto__'],
    ],
  ],
])('with %s', (_, pairs, table) => {
  const keys = keyMapOf(pairs);

  it.each(table)('%j is %s', (key, target) => {
    expect(inWords(keys, key)).toBe(target);
  });
});

describe('the prefixes to list', () => {
  it.each<[Pairs, readonly string[]]>([
    [EXAMPLE, ['a/', 'cc/', 'test-folder/']],
    [
      [
        ['b', '/1'],
        ['', '/2'],
        ['b/c', '/3'],
      ],
      [''],
    ],
    [
      [
        ['web/x/y', '/1'],
        ['website', '/2'],
        ['web', '/3'],
      ],
      ['web/', 'website/'],
    ],
  ])('of %j are %j', (pairs, prefixes) => {
    expect(keyMapOf(pairs).prefixes).toEqual(prefixes);
  });
});

// Few characters, so that keys and prefixes meet.
const part = fc.string({ unit: fc.constantFrom('a', 'b', '.', '/', '\0', 'д'), maxLength: 8 });
const pairsOf = fc
  .uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 5 }), {
    maxLength: 8,
    selector: (prefix) => prefix.replace(/\/$/, ''),
  })
  .map((prefixes) => prefixes.filter(isPrefix).map((prefix, index) => [prefix, `/srv/${index}`] as const));

it('finds what a look at each prefix finds', () => {
  fc.assert(
    fc.property(pairsOf, part, (pairs, key) => {
      const target = keyMapOf(pairs).targetOf(key);
      const [longest] = pairs
        .map(([prefix]) => (prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`))
        .filter((prefix) => key.startsWith(prefix))
        .toSorted((a, b) => b.length - a.length);
      expect('mapping' in target ? target.mapping.prefix : undefined).toBe(longest);
      if (!('path' in target)) return;
      expect(isRelPath(target.path)).toBe(true);
      expect(`${longest}${target.path}${target.kind === 'folder' ? '/' : ''}`).toBe(key);
    }),
    { numRuns: 5_000 },
  );
});

it('lists each mapped key exactly once', () => {
  fc.assert(
    fc.property(pairsOf, part, (pairs, key) => {
      const keys = keyMapOf(pairs);
      const listings = keys.prefixes.filter((prefix) => key.startsWith(prefix));
      expect(listings).toHaveLength(keys.targetOf(key).kind === 'unmatched' ? 0 : 1);
    }),
    { numRuns: 5_000 },
  );
});

it('is as quick with 20,000 prefixes as with 50 of the same lengths', () => {
  const pairs = Array.from({ length: 20_000 }, (_, index): readonly [string, string] => [
    `p${10_000 + index}/${'x/'.repeat(index % 50)}`,
    `/srv/${index}`,
  ]);
  const [many, few] = [keyMapOf(pairs), keyMapOf(pairs.slice(0, 50))];
  cpuOf(few);
  // A look at each prefix would take 400 times as long. The least of some: garbage of other tests is collected meanwhile.
  const leastOf = (keys: KeyMap) => Math.min(...Array.from({ length: 5 }, () => cpuOf(keys)));
  expect(leastOf(many)).toBeLessThan(20 * leastOf(few));
  expect(many.targetOf(`p20049/${'x/'.repeat(100)}y`)).toMatchObject({ mapping: { folder: '/srv/10049' } });
});

/** Microseconds for some thousand keys. */
function cpuOf(keys: KeyMap): number {
  const start = process.cpuUsage();
  for (let round = 0; round < 5_000; round++) keys.targetOf(`p${10_000 + round}/${'x/'.repeat(60)}y`);
  return process.cpuUsage(start).user;
}

function isPrefix(text: string): boolean {
  return text === '' || (!text.startsWith('/') && isRelPath(text.replace(/\/$/, '')));
}

function inWords(keys: KeyMap, key: string): string {
  const target = keys.targetOf(key);
  if (target.kind === 'unmatched') return 'unmatched';
  if (target.kind === 'refused') return `refused: ${target.reason}`;
  const { folder } = target.mapping;
  return target.kind === 'root' ? `root ${folder}` : `${target.kind} ${folder} ${target.path}`;
}
