import { isDeepStrictEqual } from 'node:util';
import { optionName } from '../config/names.ts';
import type { Log } from '../model/log.ts';

/** What takes hold of a setting that has changed while the command runs, given all settings. May throw an IsyncError. */
export type ReloadTable<Config> = { readonly [Name in keyof Config]?: (next: Config) => void };

interface ReloadOptions<Config> {
  /** As the command began. */
  readonly config: Config;
  /** Reads them again. @throws IsyncError */
  readonly reread: () => Config;
  readonly table: ReloadTable<Config>;
  readonly log: Log;
}

/**
 * Makes what SIGHUP calls: settings are read again, those of the table take hold at once, and the log names those that
 * need a restart. Settings with a fault change nothing.
 */
export function createReload<Config extends object>(options: ReloadOptions<Config>): () => void {
  const { reread, table, log } = options;
  const { config } = options;
  const inForce = { ...config };
  return () => {
    try {
      const next = reread();
      // A setting that was taken out is in the old ones only.
      const changed = namesOf({ ...inForce, ...next }).filter(
        (name) => !isDeepStrictEqual(next[name], inForce[name]),
      );
      const lasting = changed.filter((name) => table[name] === undefined);
      const taken = changed.filter((name) => table[name] !== undefined);
      for (const name of taken) {
        table[name]?.(next);
        inForce[name] = next[name];
      }
      log.info('settings were read again', { changed: taken.map(shown) });
      if (lasting.length > 0) log.warn('these settings need a restart', { settings: lasting.map(shown) });
    } catch (error) {
      log.error('settings could not be read again: those in force stay', { err: error });
    }
  };
}

function namesOf<Config extends object>(config: Config): (keyof Config)[] {
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- a config has no other keys than its schema's
  return Object.keys(config) as (keyof Config)[];
}

function shown(name: PropertyKey): string {
  return optionName(String(name));
}
