import type { Random } from '../../harness/random.ts';

/** Strange names that a Linux file system takes. None is a marker of isync's where markers count, or that of a file in progress. */
const STRANGE = [
  ' leading and trailing ',
  'new\nline',
  'tab\there',
  '"double" and \'single\'',
  '-rf',
  '--help',
  '~',
  'backup~',
  '.hidden',
  'hidden.swp',
  '...',
  '*',
  '[a-z]?{b,c}',
  '$(reboot) `x`; & | > <',
  'back\\slash',
  '%2e%2e%2f',
  '🙂🇺🇦👩‍👩‍👧',
  'ﬀ\u0301\u200f\u202e',
  'e\u0301',
  '\u00e9',
  '#isync',
  '\u0001\u001b[31m',
  'CON',
  'a:b',
  'x'.repeat(255),
  'ü'.repeat(127),
  '🙂'.repeat(63),
];

/** Names for one plan; no two alike, and none of a folder that is also one of a file. */
export class Names {
  readonly #random: Random;
  readonly #taken = new Set<string>();
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  file(): string {
    const random = this.#random;
    if (random.chance(0.7)) return this.#plain('file');
    if (random.chance(0.1)) return `finished.${random.pick(['watch', 'parse'])}.${this.#count++}`;
    const strange = random.pick(STRANGE);
    if (this.#taken.has(strange)) return this.#plain('file');
    this.#taken.add(strange);
    return strange;
  }

  /** A path of one to many folders. */
  folders(): string {
    const random = this.#random;
    if (random.chance(0.1))
      return [this.#plain('deep'), ...Array.from({ length: random.int(20, 55) }, () => 'd')].join('/');
    const depth = random.int(1, 3);
    return Array.from({ length: depth }, () => this.#folder()).join('/');
  }

  /** A first-level folder: one that begins with a "." is not a data directory. */
  dataDirectory(): string {
    const plain = `DC${++this.#count}`;
    if (this.#random.chance(0.75)) return plain;
    return `${plain}${this.#random.pick([' ', '\n', '~', '🙂', "'", '\\', '.swp', '%00', '-'])}`;
  }

  #folder(): string {
    if (this.#random.chance(0.8)) return this.#plain('folder');
    const strange = `${this.#random.pick(STRANGE).slice(0, 60)}.${this.#count++}`;
    return strange;
  }

  #plain(what: string): string {
    return `${what}-${this.#count++}`;
  }
}
