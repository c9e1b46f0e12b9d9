import type { ReadConfigFile } from '../config/config-file.ts';
import { readConfig, type CommandSchema } from '../config/read-config.ts';
import { type CommandSettings, configPath, type Sources } from '../config/sources.ts';
import type { Call, Run } from './command.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';

/** What a command that ends by itself within moments works with. */
export interface BriefWork<Config> extends Pick<Call, 'words' | 'list'> {
  readonly config: Config;
  /** As it was named; undefined where there is none. */
  readonly configFile: string | undefined;
  readonly output: Output;
  /** Reads the settings again: of a config file that has changed. @throws IsyncError as at the beginning */
  readonly reread: () => Config;
}

/** What finds and checks the settings of a command: those of a schema, or otherwise. */
export type ConfigReader<Config> =
  CommandSchema<Config> | ((command: CommandSettings, sources: Sources) => Config);

/** A command that needs its settings and nothing else: no log, no progress. A signal ends it at once. */
export function briefCommand<Config extends { readonly json: boolean }>(
  reader: ConfigReader<Config>,
  work: (given: BriefWork<Config>) => Promise<ExitCode>,
): Run {
  return async ({ settings, flags, words, list, output }) => {
    const given = { flags, environment: process.env };
    const configFile = String(configPath(given) ?? '') || undefined;
    // Where it lies does not change while this process runs, so that only a command that is given one ever reads one.
    const sources: Sources = {
      ...given,
      readFile: configFile === undefined ? undefined : await readerOfFiles(),
    };
    const reread = (): Config =>
      typeof reader === 'function' ? reader(settings, sources) : readConfig(reader, settings, sources);
    const config = reread();
    output.json = config.json;
    return work({ config, configFile, reread, words, list, output });
  };
}

async function readerOfFiles(): Promise<ReadConfigFile> {
  return (await import('../config/parse-config-file.ts')).readConfigFile;
}
