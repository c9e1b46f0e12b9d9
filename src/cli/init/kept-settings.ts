import { existsSync } from 'node:fs';
import { isRecord } from '../../config/config-file.ts';
import { readConfigFile } from '../../config/parse-config-file.ts';
import { IsyncError } from '../../model/isync-error.ts';

type Settings = Readonly<Record<string, string>>;

/** The texts in the section of a config file; none where there is no file. @throws IsyncError CONFIG_INVALID */
export function keptSettings(path: string, section: string): Settings {
  if (!existsSync(path)) return {};
  const found = readConfigFile(path).content.get(section);
  if (!isRecord(found)) return {};
  return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, String(value)]));
}

/**
 * What is there stays, so it must say what is asked for.
 * @throws IsyncError CONFIG_INVALID where a setting that is there has another value
 */
export function checkKept(path: string, kept: Settings, wanted: Settings): void {
  for (const [name, value] of Object.entries(wanted)) {
    const there = kept[name];
    if (there === undefined || there === value) continue;
    throw new IsyncError('CONFIG_INVALID', `it has ${name}: ${there}, and ${value} is asked for`, {
      path,
      hint: 'Change it there, or move the file away to have it made anew.',
    });
  }
}
