import { didYouMean } from './closest.ts';
import { isRecord, type ConfigFile, type ReadConfigFile, type ValuePath } from './config-file.ts';
import { environmentName, optionName, SCANS, STORES } from './names.ts';
import { Secret } from './secret.ts';
import { shownName } from './shown.ts';

/** What must be known of a command, and of all others, to read its settings. */
export interface CommandSettings {
  /** Of the config file. */
  readonly section: string;
  /** Whether a config file without that section holds the settings themselves. Default: false. */
  readonly ownFile?: boolean | undefined;
  /** Every section that a config file may have. */
  readonly sections: readonly string[];
  /** Settings that the command line gives by their place. */
  readonly places: readonly string[];
  /** Settings that are never given on the command line, and never shown. */
  readonly secrets: readonly string[];
  /**
   * Settings that an option of another name gives, and nothing else does: where that option means something else than the
   * setting of its name in a file.
   */
  readonly byOption?: Readonly<Record<string, string>> | undefined;
  /** Settings whose variable in the environment has another name than `ISYNC_…`. */
  readonly variables?: Readonly<Record<string, string>> | undefined;
  /** Every setting of any command, by option name: what may stand in the environment. */
  readonly names: readonly string[];
}

/** Where a setting came from; a later one gives way to an earlier. */
export type Origin =
  | { readonly kind: 'flag' }
  | { readonly kind: 'environment' }
  /** `at`: from the top level of the file. */
  | { readonly kind: 'file'; readonly at: ValuePath };

export interface Setting {
  /** A text, a list of texts, a Secret from the environment; from a file also maps and lists of maps. */
  readonly value: unknown;
  readonly origin: Origin;
  /** The name of the store that `value` is, where the setting only named it. */
  readonly store?: string;
}

export interface Sources {
  /** As yargs parsed them, by option name; what the user did not give is undefined or not there. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Must be there where a config file is named; see {@link configPath}. */
  readonly readFile?: ReadConfigFile | undefined;
}

export interface Collected {
  readonly settings: Map<string, Setting>;
  /** Faults of names, each a whole sentence. */
  readonly faults: readonly string[];
  readonly file: ConfigFile | undefined;
}

/**
 * What Kubernetes puts into every container beside a Service whose name begins with "isync": not meant for us.
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
const SERVICE_LINK = /^ISYNC_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)$/;

/** The variables of isync's own tests and of harness/ceph, which a shell may export. */
const TEST_VARIABLE = /^ISYNC_TEST_/;

/** What tells a script of isync webhook of its event (src/events/action/script/): it may call isync. */
const SCRIPT_VARIABLE = /^ISYNC_(BUCKET|KEY|ACTION|EVENT|ETAG|VERSION|ATTEMPT|ID)$/;

/** Returns the name of a setting of `command` in the environment. */
export function variableOf(key: string, { variables = {} }: CommandSettings): string {
  return variables[key] ?? environmentName(key);
}

/** Finds the value and origin of each of `keys`: flags go before the environment, and that before the `--config` file. */
export function collectSettings(
  keys: readonly string[],
  command: CommandSettings,
  { flags, environment, readFile }: Sources,
): Collected {
  const { byOption = {} } = command;
  const otherOptions = new Set(Object.values(byOption));
  const optionOf = (key: string): string | undefined =>
    byOption[key] ?? (otherOptions.has(optionName(key)) ? undefined : optionName(key));
  const elsewhere = keys.filter((key) => byOption[key] === undefined);
  const isSecret = (key: string): boolean => command.secrets.includes(key);
  const settings = new Map<string, Setting>();
  const faults = unknownVariables(environment, command.names);
  const add = (key: string, setting: Setting): void => {
    if (!settings.has(key)) settings.set(key, setting);
  };
  for (const key of keys) {
    const value = flagValue(flags[optionOf(key) ?? '']);
    if (value !== undefined && !isSecret(key)) add(key, { value, origin: { kind: 'flag' } });
  }
  // A file named on the command line is meant instead of the token that happens to be in the environment.
  const byFlag = (key: string): boolean =>
    isSecret(key) && settings.get(`${key}File`)?.origin.kind === 'flag';
  for (const key of elsewhere) {
    const value = environment[variableOf(key, command)];
    if (value === undefined || value === '' || byFlag(key)) continue;
    add(key, { value: isSecret(key) ? new Secret(value) : value, origin: { kind: 'environment' } });
  }
  const path = configPath({ flags, environment });
  if (Array.isArray(path)) faults.push('config: is given more than once (flag --config)');
  if (typeof path !== 'string' || path === '') return { settings, faults, file: undefined };
  if (readFile === undefined) throw new Error('a config file is named, and nothing that reads it is given');
  const file = readFile(path, shapeOf(command));
  // Of a secret and the file that holds it, the one that was found already is meant.
  const isDecided = (key: string): boolean =>
    command.secrets.some(
      (secret) =>
        (key === `${secret}File` && settings.has(secret)) ||
        (key === secret && settings.has(`${secret}File`)),
    );
  const found = settingsIn(file, elsewhere, command, faults).filter(([key]) => !isDecided(key));
  for (const [key, setting] of found) add(key, setting);
  return { settings, faults, file };
}

function shapeOf({ section, ownFile = false }: CommandSettings): string {
  const settings = 'a setting in each line below it, further in: its name, a colon and its value';
  return `It has "${section}:" in a line of its own, and ${settings}${ownFile ? '; or just the settings' : ''}.`;
}

/** What names the config file, as it was given: several texts are a fault. */
export function configPath({ flags, environment }: Omit<Sources, 'readFile'>): string | string[] | undefined {
  return flagValue(flags['config']) ?? environment[environmentName('config')];
}

function settingsIn(
  file: ConfigFile,
  keys: readonly string[],
  command: CommandSettings,
  faults: string[],
): [string, Setting][] {
  const { section, sections, ownFile = false } = command;
  const isOwn = ownFile && !file.content.has(section);
  if (!isOwn) faults.push(...faultsOfSections(file, sections));
  if (file.content.has(STORES) && !isMapOrEmpty(file.content.get(STORES)))
    faults.push(`${STORES}: is no map of stores ${lineOf(file, [STORES])}`);
  const own = isOwn ? Object.fromEntries(file.content) : file.content.get(section);
  if (!isRecord(own)) return [];
  const within = isOwn ? [] : [section];
  const rest = Object.fromEntries(Object.entries(own).filter(([name]) => !isOwn || name !== STORES));
  return settingsOfMap(rest, { file, within, keys, command, what: `setting of "${section}"` }, faults);
}

interface MapPlace {
  readonly file: ConfigFile;
  /** Where in the file the map is. */
  readonly within: ValuePath;
  readonly keys: readonly string[];
  readonly command: CommandSettings;
  /** What its names are, for a fault. */
  readonly what: string;
}

/** Returns the settings of a map of the config file, and adds to `faults` what is none of `keys`. */
export function settingsOfMap(
  map: Readonly<Record<string, unknown>>,
  { file, within, keys, command, what }: MapPlace,
  faults: string[],
): [string, Setting][] {
  const keyOf = new Map(keys.flatMap((key) => [[optionName(key), key] as const, [key, key] as const]));
  const names = keys.filter((key) => !command.secrets.includes(key)).map(optionName);
  return Object.entries(map).flatMap(([name, value]): [string, Setting][] => {
    const at = [...within, name];
    const key = keyOf.get(name);
    if (key !== undefined) return [[key, { value, origin: { kind: 'file', at } }]];
    faults.push(`${shownName(name)}: is no ${what}${didYouMean(name, names)} ${lineOf(file, at)}`);
    return [];
  });
}

function faultsOfSections(file: ConfigFile, sections: readonly string[]): string[] {
  return [...file.content].flatMap(([name, value]) => {
    if (name === STORES || name === SCANS) return [];
    if (!sections.includes(name))
      return [
        `${shownName(name)}: is no section of a config file${didYouMean(name, [...sections, STORES, SCANS])} ${lineOf(file, [name])}`,
      ];
    return isMapOrEmpty(value) ? [] : [`${name}: is no map of settings ${lineOf(file, [name])}`];
  });
}

function isMapOrEmpty(value: unknown): boolean {
  return value === '' || isRecord(value);
}

function lineOf(file: ConfigFile, at: ValuePath): string {
  return `(${file.path}, line ${file.lineOf(at)})`;
}

function unknownVariables(environment: Sources['environment'], names: readonly string[]): string[] {
  const known = ['config', ...names].map(environmentName);
  return Object.keys(environment)
    .filter((name) => name.startsWith('ISYNC_') && !known.includes(name) && !isForeign(name))
    .map((name) => `${name}: is no setting${didYouMean(name, known)} (environment)`);
}

/** Makes texts of what flags come as: text, boolean or a list of texts. The same parsers serve every source. */
function flagValue(value: unknown): string | string[] | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? value.map(String) : undefined;
}

/** Whether a variable is not meant for the settings. */
function isForeign(name: string): boolean {
  return [SERVICE_LINK, TEST_VARIABLE, SCRIPT_VARIABLE].some((foreign) => foreign.test(name));
}
