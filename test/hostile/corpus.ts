import * as fc from 'fast-check';
import { parseRelPath, type RelPath } from '../../src/model/rel-path.ts';
import { encode } from '../../src/protocol/codec.ts';
import { relPaths, senderMessages } from '../protocol/arbitraries.ts';

/** Messages and paths that fast-check makes of the grammar; made once, for they take longer than to send. */
export interface Corpus {
  readonly messages: readonly Buffer[];
  readonly paths: readonly RelPath[];
}

export function senderCorpus(seed: number): Corpus {
  return {
    messages: fc.sample(senderMessages('xxh64'), { seed, numRuns: 2000 }).map(encode),
    // Few, so that the store does not grow with the number of messages.
    paths: [
      ...fc.sample(relPaths, { seed, numRuns: 100 }),
      'DC1/a',
      'DC1/b',
      'DC1/a/below-a-file',
      'DC1/finished.watch',
      'DC1/finished.parse',
      'DC1/.isync/x',
      '.isync',
      '.isync/staging/x',
      '.ISYNC/retired/x',
      `DC1/${'deep/'.repeat(62)}x`,
      `DC1/${'a/'.repeat(2000)}x`,
    ].map(parseRelPath),
  };
}
