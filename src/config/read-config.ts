import type { z } from 'zod';
import { IsyncError } from '../model/isync-error.ts';
import { environmentName, optionName } from './names.ts';
import { collectSettings, type CommandSettings, type Setting, type Sources } from './sources.ts';

/** The settings of a command: which there are, what they may be, and how they must agree with each other. */
export interface CommandSchema<Config> extends z.ZodType<Config> {
  readonly shape: Readonly<Record<string, unknown>>;
}

/**
 * The settings of a command, complete and checked: flags before environment (`ISYNC_…`) before the file that
 * `--config` names before defaults. Paths are absolute, durations milliseconds, sizes bytes, rates bytes a second.
 * @throws IsyncError naming every fault at once, with value and origin: USAGE where all of them are on the command
 *   line, else CONFIG_INVALID. A secret is never shown.
 */
export function readConfig<Config>(
  schema: CommandSchema<Config>,
  command: CommandSettings,
  sources: Sources,
): Config {
  const { settings, faults } = collectSettings(Object.keys(schema.shape), command, sources);
  const raw = Object.fromEntries([...settings].map(([key, setting]) => [key, setting.value ?? {}]));
  const result = schema.safeParse(raw);
  if (result.success && faults.length === 0) return result.data;
  const issues = result.success ? [] : result.error.issues;
  const keys = issues.map((issue) => String(issue.path[0] ?? ''));
  const all = [
    ...faults,
    ...issues.map((issue, i) => describe(keys[i] ?? '', issue.message, settings, command)),
  ];
  const byFlag = faults.length === 0 && keys.every((key) => isFlag(settings.get(key)));
  throw new IsyncError(byFlag ? 'USAGE' : 'CONFIG_INVALID', oneOrMany(all), {
    hint: `"isync ${command.section} --help" tells the options and their values.`,
  });
}

function describe(
  key: string,
  message: string,
  settings: ReadonlyMap<string, Setting>,
  command: CommandSettings,
): string {
  const setting = settings.get(key);
  const isPlace = command.places.includes(key);
  if (setting === undefined)
    return `${isPlace ? key.toUpperCase() : optionName(key)}: ${message}; ${howToGive(key, isPlace)}`;
  const value = command.secrets.includes(key) ? '(hidden) ' : showValue(setting.value);
  return `${optionName(key)}: ${value}${message} (${showOrigin(key, setting, isPlace)})`;
}

function howToGive(key: string, isPlace: boolean): string {
  const place = isPlace ? key.toUpperCase() : `--${optionName(key)}`;
  return `give ${place}, ${environmentName(key)} or "${optionName(key)}" in the config file`;
}

function showValue(value: Setting['value']): string {
  // Credentials in a URL are refused, and the refusal must not print them.
  if (typeof value === 'string') return `${JSON.stringify(value.replace(/\/\/.*@/s, '//(hidden)@'))} `;
  return value === undefined ? '' : `${JSON.stringify(value)} `;
}

function showOrigin(key: string, { origin }: Setting, isPlace: boolean): string {
  switch (origin.kind) {
    case 'flag':
      return isPlace ? 'command line' : `flag --${optionName(key)}`;
    case 'environment':
      return `environment ${environmentName(key)}`;
    case 'file':
      return `${origin.file}, line ${origin.line}`;
  }
}

/** A setting that is missing is the command line's fault. */
function isFlag(setting: Setting | undefined): boolean {
  return setting === undefined || setting.origin.kind === 'flag';
}

function oneOrMany(faults: readonly string[]): string {
  const [only] = faults;
  if (only !== undefined && faults.length === 1) return only;
  return [`${faults.length} settings are wrong:`, ...faults.map((fault) => `  ${fault}`)].join('\n');
}
