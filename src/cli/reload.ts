import { isDeepStrictEqual } from 'node:util';
import { optionName } from '../config/names.ts';
import type { Log } from '../model/log.ts';

/** What takes hold of a setting that has changed while the command runs, given all settings. May throw an IsyncError. */
export type ReloadTable<Config> = { readonly [Name in keyof Config]?: (next: Config) => void };

/** The same of settings that hold others, whether they have changed or not. */
export type NestedTable<Config> = { readonly [Name in keyof Config]?: TakeSettings<Config> };

/** Names of settings as a config file has them. */
export interface Changes {
  /** What has changed and is in force now. */
  readonly taken: readonly string[];
  /** What has changed and needs a restart. */
  readonly lasting: readonly string[];
}

/** Takes settings into use that were read again. May throw an IsyncError. */
export type TakeSettings<Config> = (next: Config) => Changes;

interface ReloadOptions<Config> {
  /** As the command began. */
  readonly config: Config;
  /** Reads them again. @throws IsyncError */
  readonly reread: () => Config;
  readonly table: ReloadTable<Config>;
  readonly nested?: NestedTable<Config> | undefined;
  readonly log: Log;
}

/**
 * Makes what SIGHUP calls: settings are read again, those of the tables take hold at once, and the log names those that
 * need a restart. Settings with a fault change nothing.
 */
export function createReload<Config extends object>(options: ReloadOptions<Config>): () => void {
  const { config, reread, table, log } = options;
  const nested: NestedTable<Config> | undefined = options.nested;
  const holders = namesOf(config).filter((name) => nested?.[name] !== undefined);
  const takes = [takeBy(config, table, holders), ...holders.flatMap((name) => nested?.[name] ?? [])];
  return () => {
    try {
      const next = reread();
      const changes = takes.map((take) => take(next));
      const lasting = changes.flatMap((each) => each.lasting);
      log.info('settings were read again', { changed: changes.flatMap((each) => each.taken) });
      if (lasting.length > 0) log.warn('these settings need a restart', { settings: lasting });
    } catch (error) {
      log.error('settings could not be read again: those in force stay', { err: error });
    }
  };
}

/** @param others settings that are not looked at */
export function takeBy<Config extends object>(
  config: Config,
  table: ReloadTable<Config>,
  others: readonly (keyof Config)[] = [],
): TakeSettings<Config> {
  const inForce = { ...config };
  return (next) => {
    // A setting that was taken out is in the old ones only.
    const changed = namesOf({ ...inForce, ...next }).filter(
      (name) => !others.includes(name) && !isDeepStrictEqual(next[name], inForce[name]),
    );
    const taken = changed.filter((name) => table[name] !== undefined);
    for (const name of taken) {
      table[name]?.(next);
      inForce[name] = next[name];
    }
    const lasting = changed.filter((name) => table[name] === undefined);
    return { taken: taken.map(shown), lasting: lasting.map(shown) };
  };
}

function namesOf<Config extends object>(config: Config): (keyof Config)[] {
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- a config has no other keys than its schema's
  return Object.keys(config) as (keyof Config)[];
}

function shown(name: PropertyKey): string {
  return optionName(String(name));
}
