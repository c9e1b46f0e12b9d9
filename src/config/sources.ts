import { readConfigFile, type FileSection } from './config-file.ts';
import { didYouMean } from './closest.ts';
import { COMMANDS, environmentName, environmentNames, keysOf, optionName, SECRET } from './names.ts';
import type { CommandName } from './schemas.ts';

/** Where a setting came from; a later one gives way to an earlier. */
export type Origin =
  | { readonly kind: 'flag' }
  | { readonly kind: 'environment' }
  | { readonly kind: 'file'; readonly file: string; readonly line: number };

export interface Setting {
  /** Undefined: something that is neither a text nor a list of texts. */
  readonly value: string | readonly string[] | undefined;
  readonly origin: Origin;
}

export interface Sources {
  /** As yargs parsed them, by option name; what the user did not give is undefined or not there. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface Collected {
  readonly settings: ReadonlyMap<string, Setting>;
  /** Faults of names, each a whole sentence. */
  readonly faults: readonly string[];
}

/**
 * What Kubernetes puts into every container beside a Service whose name begins with "isync": not meant for us.
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
const SERVICE_LINK = /^ISYNC_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)$/;

/** Every setting that the sources give to `command`: flags before environment before the `--config` file. */
export function collectSettings(command: CommandName, { flags, environment }: Sources): Collected {
  const keys = keysOf(command);
  const settings = new Map<string, Setting>();
  const faults = unknownVariables(environment);
  const add = (key: string, setting: Setting): void => {
    if (!settings.has(key)) settings.set(key, setting);
  };
  for (const key of keys) {
    const value = flagValue(flags[optionName(key)]);
    if (value !== undefined && key !== SECRET) add(key, { value, origin: { kind: 'flag' } });
  }
  // A token named on the command line is meant instead of the one that happens to be in the environment.
  const tokenByFlag = settings.has('tokenFile');
  for (const key of keys) {
    const value = environment[environmentName(key)];
    if (value === undefined || value === '' || (key === SECRET && tokenByFlag)) continue;
    add(key, { value, origin: { kind: 'environment' } });
  }
  const file = flagValue(flags['config']) ?? environment[environmentName('config')];
  if (typeof file === 'string' && file !== '') {
    const sections = readConfigFile(file);
    for (const [key, setting] of settingsOf(command, file, sections, faults)) {
      // Likewise a token in the environment goes before a token file named in the config file.
      if (key !== 'tokenFile' || !settings.has(SECRET)) add(key, setting);
    }
  } else if (Array.isArray(file)) faults.push('config: is given more than once (flag --config)');
  return { settings, faults };
}

function settingsOf(
  command: CommandName,
  file: string,
  sections: readonly FileSection[],
  faults: string[],
): [string, Setting][] {
  const keyOf = new Map(keysOf(command).map((key) => [optionName(key), key]));
  const found: [string, Setting][] = [];
  for (const section of sections) {
    const at = `(${file}, line ${section.line})`;
    if (!COMMANDS.some((name) => name === section.name))
      faults.push(
        `${section.name}: is no section of a config file${didYouMean(section.name, COMMANDS)} ${at}`,
      );
    else if (section.settings === undefined) faults.push(`${section.name}: is no map of settings ${at}`);
    if (section.name !== command) continue;
    for (const { key: name, value, line } of section.settings ?? []) {
      const key = keyOf.get(name);
      if (key !== undefined && key !== SECRET)
        found.push([key, { value, origin: { kind: 'file', file, line } }]);
      else faults.push(`${unknownSetting(command, name, [...keyOf.keys()])} (${file}, line ${line})`);
    }
  }
  return found;
}

function unknownSetting(command: CommandName, name: string, names: readonly string[]): string {
  if (name === SECRET && names.includes(SECRET))
    return `${name}: does not belong into a config file; name a file that holds it with "token-file"`;
  return `${name}: is no setting of "${command}"${didYouMean(
    name,
    names.filter((known) => known !== SECRET),
  )}`;
}

function unknownVariables(environment: Sources['environment']): string[] {
  const known = environmentNames();
  return Object.keys(environment)
    .filter((name) => name.startsWith('ISYNC_') && !known.includes(name) && !SERVICE_LINK.test(name))
    .map((name) => `${name}: is no setting${didYouMean(name, known)} (environment)`);
}

/** Flags come as text, boolean or a list of texts; all are made text, for the parsers that serve every source. */
function flagValue(value: unknown): string | string[] | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? value.map(String) : undefined;
}
