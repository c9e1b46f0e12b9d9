import type { z } from 'zod';
import { IsyncError } from '../model/isync-error.ts';
import { environmentName, optionName, POSITIONALS, SECRET } from './names.ts';
import type { CommandName } from './schemas.ts';
import { collectSettings, type Origin, type Setting, type Sources } from './sources.ts';

/**
 * The settings of `command`, complete and checked: flags before environment (`ISYNC_…`) before the file that
 * `--config` names before defaults. Paths are absolute, durations milliseconds, sizes bytes, rates bytes a second.
 * @throws IsyncError naming every fault at once, with value and origin: USAGE where all of them are on the command
 *   line, else CONFIG_INVALID. A secret is never shown.
 */
export function readConfig<Schema extends z.ZodObject>(
  command: CommandName,
  schema: Schema,
  sources: Sources,
): z.output<Schema> {
  const { settings, faults } = collectSettings(command, sources);
  const raw = Object.fromEntries([...settings].map(([key, setting]) => [key, setting.value ?? {}]));
  const result = schema.safeParse(raw);
  if (result.success && faults.length === 0) return result.data;
  const issues = result.success ? [] : result.error.issues;
  const keys = issues.map((issue) => String(issue.path[0] ?? ''));
  const all = [...faults, ...issues.map((issue, i) => describe(keys[i] ?? '', issue.message, settings))];
  const byFlag = faults.length === 0 && keys.every((key) => isFlag(settings.get(key)?.origin));
  throw new IsyncError(byFlag ? 'USAGE' : 'CONFIG_INVALID', oneOrMany(all), {
    hint: `"isync ${command} --help" tells the options and their values.`,
  });
}

function describe(key: string, message: string, settings: ReadonlyMap<string, Setting>): string {
  const setting = settings.get(key);
  if (setting === undefined) return `${POSITIONALS[key] ?? optionName(key)}: ${message}; ${howToGive(key)}`;
  const value = key === SECRET ? '(hidden) ' : showValue(setting.value);
  return `${optionName(key)}: ${value}${message} (${showOrigin(key, setting.origin)})`;
}

function howToGive(key: string): string {
  const place = POSITIONALS[key] ?? `--${optionName(key)}`;
  return `give ${place}, ${environmentName(key)} or "${optionName(key)}" in the config file`;
}

function showValue(value: Setting['value']): string {
  // Credentials in a URL are refused, and the refusal must not print them.
  if (typeof value === 'string') return `${JSON.stringify(value.replace(/\/\/.*@/s, '//(hidden)@'))} `;
  return value === undefined ? '' : `${JSON.stringify(value)} `;
}

function showOrigin(key: string, origin: Origin): string {
  switch (origin.kind) {
    case 'flag':
      return POSITIONALS[key] === undefined ? `flag --${optionName(key)}` : 'command line';
    case 'environment':
      return `environment ${environmentName(key)}`;
    case 'file':
      return `${origin.file}, line ${origin.line}`;
  }
}

/** A setting that is missing is the command line's fault. */
function isFlag(origin: Origin | undefined): boolean {
  return origin === undefined || origin.kind === 'flag';
}

function oneOrMany(faults: readonly string[]): string {
  const [only] = faults;
  if (only !== undefined && faults.length === 1) return only;
  return [`${faults.length} settings are wrong:`, ...faults.map((fault) => `  ${fault}`)].join('\n');
}
