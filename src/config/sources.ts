import { readConfigFile, type FileSection } from './config-file.ts';
import { didYouMean } from './closest.ts';
import { environmentName, optionName } from './names.ts';

/** What must be known of a command, and of all others, to read its settings. */
export interface CommandSettings {
  /** Of the config file. */
  readonly section: string;
  /** Every section that a config file may have. */
  readonly sections: readonly string[];
  /** Settings that the command line gives by their place. */
  readonly places: readonly string[];
  /** Settings that are never given on the command line, and never shown. */
  readonly secrets: readonly string[];
  /** Every setting of any command, by option name: what may stand in the environment. */
  readonly names: readonly string[];
}

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

/** The value and origin of each of `keys` that a source gives: flags before environment before the `--config` file. */
export function collectSettings(
  keys: readonly string[],
  command: CommandSettings,
  { flags, environment }: Sources,
): Collected {
  const isSecret = (key: string): boolean => command.secrets.includes(key);
  const settings = new Map<string, Setting>();
  const faults = unknownVariables(environment, command.names);
  const add = (key: string, setting: Setting): void => {
    if (!settings.has(key)) settings.set(key, setting);
  };
  for (const key of keys) {
    const value = flagValue(flags[optionName(key)]);
    if (value !== undefined && !isSecret(key)) add(key, { value, origin: { kind: 'flag' } });
  }
  // A file named on the command line is meant instead of the token that happens to be in the environment.
  const byFlag = (key: string): boolean =>
    isSecret(key) && settings.get(`${key}File`)?.origin.kind === 'flag';
  for (const key of keys) {
    const value = environment[environmentName(key)];
    if (value === undefined || value === '' || byFlag(key)) continue;
    add(key, { value, origin: { kind: 'environment' } });
  }
  const file = flagValue(flags['config']) ?? environment[environmentName('config')];
  if (typeof file === 'string' && file !== '') {
    const sections = readConfigFile(file);
    for (const [key, setting] of settingsOf(keys, command, file, sections, faults)) {
      // Likewise a token in the environment goes before a token file named in the config file.
      if (!command.secrets.some((secret) => key === `${secret}File` && settings.has(secret)))
        add(key, setting);
    }
  } else if (Array.isArray(file)) faults.push('config: is given more than once (flag --config)');
  return { settings, faults };
}

function settingsOf(
  keys: readonly string[],
  { section: own, sections: known, secrets }: CommandSettings,
  file: string,
  sections: readonly FileSection[],
  faults: string[],
): [string, Setting][] {
  const keyOf = new Map(keys.map((key) => [optionName(key), key]));
  const found: [string, Setting][] = [];
  for (const section of sections) {
    const at = `(${file}, line ${section.line})`;
    if (!known.includes(section.name))
      faults.push(`${section.name}: is no section of a config file${didYouMean(section.name, known)} ${at}`);
    else if (section.settings === undefined) faults.push(`${section.name}: is no map of settings ${at}`);
    if (section.name !== own) continue;
    for (const { key: name, value, line } of section.settings ?? []) {
      const key = keyOf.get(name);
      if (key !== undefined && !secrets.includes(key))
        found.push([key, { value, origin: { kind: 'file', file, line } }]);
      else faults.push(`${unknownSetting(own, name, [...keyOf.keys()], secrets)} (${file}, line ${line})`);
    }
  }
  return found;
}

function unknownSetting(
  command: string,
  name: string,
  names: readonly string[],
  secrets: readonly string[],
): string {
  if (secrets.includes(name))
    return `${name}: does not belong into a config file; name a file that holds it with "${name}-file"`;
  return `${name}: is no setting of "${command}"${didYouMean(
    name,
    names.filter((known) => !secrets.includes(known)),
  )}`;
}

function unknownVariables(environment: Sources['environment'], names: readonly string[]): string[] {
  const known = ['config', ...names].map(environmentName);
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
