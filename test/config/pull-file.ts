import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { SCHEMAS, settingsFor } from '../cli/commands.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

export let folder: string;
export let file: string;
/** For each file of tests to call before each of its tests: a module is run once for all files of a worker. */
export function freshConfig(): void {
  folder = join(temporaryFolder(), 'etc');
  mkdirSync(folder);
  file = join(folder, 'pull.yaml');
}

export function read(text: string, flags: object = {}, environment: Record<string, string> = {}) {
  writeFileSync(file, text);
  return readConfig(SCHEMAS.pull, settingsFor('pull'), {
    flags: { config: file, ...flags },
    environment,
    readFile: readConfigFile,
  });
}

/** With what every config must have. */
export const withField = (line: string, flags?: object, environment?: Record<string, string>) =>
  read(`queue: q\nsync: { a/: /srv/a }\n${line}\n`, flags, environment);

export function refused(attempt: () => unknown): IsyncError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof IsyncError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
