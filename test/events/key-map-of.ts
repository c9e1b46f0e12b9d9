import { parseSync } from '../../src/config/sync-map.ts';
import { KeyMap } from '../../src/events/match/key-map.ts';

export type Pairs = readonly (readonly [prefix: string, folder: string])[];

/** The map that a config with these pairs has. Throws what is wrong with a prefix. */
export function keyMapOf(pairs: Pairs): KeyMap {
  if (pairs.length === 0) return new KeyMap([]);
  const value = pairs.map(([prefix, folder]) => ({ [prefix]: folder }));
  const fault = (message: string): never => {
    throw new Error(message);
  };
  return new KeyMap(parseSync({ value, folder: '/', file: undefined }, fault));
}
