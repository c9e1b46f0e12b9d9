import { z } from 'zod';
import { IsyncError } from '../model/isync-error.ts';
import { isRecord, type ConfigFile, type ValuePath } from './config-file.ts';
import { rawValue } from './from-file.ts';
import { resolveStore, withStoresOf } from './location.ts';
import { optionName, STORES } from './names.ts';
import { isAboutSecret, Secret, withSecretsOf } from './secret.ts';
import { shownText } from './shown.ts';
import {
  collectSettings,
  variableOf,
  type Collected,
  type CommandSettings,
  type Setting,
  type Sources,
} from './sources.ts';
import { mapFault } from './map-fault.ts';

/** The settings of a command: which there are, what they may be, and how they must agree with each other. */
export interface CommandSchema<Config> extends z.ZodType<Config> {
  readonly shape: Readonly<Record<string, unknown>>;
}

/**
 * Returns the settings of a command, complete and checked: flags go before environment (`ISYNC_…`) before the file that
 * `--config` names before defaults. Paths are absolute, durations milliseconds, sizes bytes, rates bytes a second.
 * @throws IsyncError naming every fault at once, with value and origin: USAGE where all of them are on the command
 *   line, else CONFIG_INVALID. A secret is never shown.
 */
export function readConfig<Config>(
  schema: CommandSchema<Config>,
  command: CommandSettings,
  sources: Sources,
): Config {
  const collected = collectSettings(Object.keys(schema.shape), command, sources);
  const checked = checkSettings(schema, command, sources, collected);
  if (checked.config !== undefined && collected.faults.length === 0) return checked.config;
  const isUsage = collected.faults.length === 0 && checked.isUsage;
  throw wrongSettings([...collected.faults, ...checked.faults], command, isUsage);
}

/** What comes of settings: a config, or what is wrong with them, each a whole sentence. */
export interface Checked<Config> {
  readonly config: Config | undefined;
  readonly faults: readonly string[];
  /** Whether all that is wrong is on the command line. */
  readonly isUsage: boolean;
}

/** Checks the settings that were found. */
export function checkSettings<Config>(
  schema: CommandSchema<Config>,
  command: CommandSettings,
  { environment }: Sources,
  collected: Collected,
): Checked<Config> {
  const { settings, file } = collected;
  for (const [key, setting] of settings) settings.set(key, resolveStore(setting, schema.shape[key], file));
  const raw = Object.fromEntries(
    Object.entries(schema.shape)
      .map(([key, field]) => [key, rawValue(field, settings.get(key), file)] as const)
      .filter(([, value]) => value !== undefined),
  );
  const result = withSecretsOf(environment, () =>
    withStoresOf(file, () => schema.safeParse(raw, { error: mapFault })),
  );
  if (result.success) return { config: result.data, faults: [], isUsage: true };
  const { issues } = result.error;
  return {
    config: undefined,
    faults: issues.map((issue) => describe(issue, collected, command)),
    isUsage: issues.every((issue) => isOnCommandLine(issue, settings)),
  };
}

/** @param isUsage whether all of it is on the command line */
export function wrongSettings(
  faults: readonly string[],
  command: CommandSettings,
  isUsage: boolean,
): IsyncError {
  return new IsyncError(isUsage ? 'USAGE' : 'CONFIG_INVALID', oneOrMany(faults), {
    hint: `"isync ${command.section} --help" tells the options and their values.`,
  });
}

function describe(issue: z.core.$ZodIssue, { settings, file }: Collected, command: CommandSettings): string {
  const [first, ...inner] = issue.path;
  const key = String(first ?? '');
  const setting = settings.get(key);
  const isPlace = command.places.includes(key);
  if (setting === undefined)
    return `${isPlace ? key.toUpperCase() : optionName(key)}: ${issue.message}; ${howToGive(key, isPlace, command)}`;
  const outer = isWithin(issue) ? placeOf(setting) : undefined;
  if (file === undefined || outer === undefined) {
    const value = setting.store === undefined ? setting.value : `store:${setting.store}`;
    const origin = showOrigin(key, setting, isPlace, file, command);
    return `${optionName(key)}: ${showValue(value, issue)}${issue.message} (${origin})`;
  }
  const at = [...outer, ...inner];
  const line = file.lineOf(issue.code === 'unrecognized_keys' ? [...at, issue.keys[0] ?? ''] : at);
  const value = showValue(valueAt(setting.value, inner), issue);
  return `${z.core.toDotPath(at)}: ${value}${issue.message} (${file.path}, line ${line})`;
}

/** Whether an issue is about something within the value of a setting, which only a config file can give. */
function isWithin({ path, code }: z.core.$ZodIssue): boolean {
  return path.length > 1 || code === 'unrecognized_keys';
}

/** Where in the config file the value of a setting begins; undefined where it comes from elsewhere. */
function placeOf({ origin, store }: Setting): ValuePath | undefined {
  if (store !== undefined) return [STORES, store];
  return origin.kind === 'file' ? origin.at : undefined;
}

function valueAt(value: unknown, path: ValuePath): unknown {
  const [step, ...inner] = path;
  if (step === undefined) return value;
  if (Array.isArray(value)) return valueAt(value[Number(step)], inner);
  return isRecord(value) ? valueAt(value[String(step)], inner) : undefined;
}

function howToGive(key: string, isPlace: boolean, command: CommandSettings): string {
  const place = isPlace ? key.toUpperCase() : `--${optionName(key)}`;
  return `give ${place}, ${variableOf(key, command)} or "${optionName(key)}" in the config file`;
}

/** A text or list of texts, with a space behind; maps are not shown, and secrets never. */
function showValue(value: unknown, issue: z.core.$ZodIssue): string {
  if (value instanceof Secret) return `${String(value)} `;
  if (isAboutSecret(issue)) return '';
  if (isText(value)) return `${JSON.stringify(shownText(value))} `;
  return Array.isArray(value) && value.every(isText) ? `${JSON.stringify(value.map(shownText))} ` : '';
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function showOrigin(
  key: string,
  { origin }: Setting,
  isPlace: boolean,
  file: ConfigFile | undefined,
  command: CommandSettings,
): string {
  switch (origin.kind) {
    case 'flag':
      return isPlace ? 'command line' : `flag --${optionName(key)}`;
    case 'environment':
      return `environment ${variableOf(key, command)}`;
    case 'file':
      return `${file?.path ?? ''}, line ${file?.lineOf(origin.at) ?? 0}`;
  }
}

/** A setting that is missing is the command line's fault. */
function isOnCommandLine(issue: z.core.$ZodIssue, settings: ReadonlyMap<string, Setting>): boolean {
  const setting = settings.get(String(issue.path[0] ?? ''));
  return setting === undefined || (setting.origin.kind === 'flag' && !isWithin(issue));
}

function oneOrMany(faults: readonly string[]): string {
  const [only] = faults;
  if (only !== undefined && faults.length === 1) return only;
  return [`${faults.length} settings are wrong:`, ...faults.map((fault) => `  ${fault}`)].join('\n');
}
