/** Keys of maps and positions in lists, from the top level of a file to a value in it. */
export type ValuePath = readonly PropertyKey[];

/** A config file: YAML, and so JSON as well. */
export interface ConfigFile {
  readonly path: string;
  /**
   * The top-level keys with their values: texts, lists and maps. Every scalar is the text that it was written as, so that
   * the device `007` stays that; what has no value is an empty text.
   */
  readonly content: ReadonlyMap<string, unknown>;
  /** Returns the line, from 1, on which the key or item at `path` begins; for one that is not there, what would hold it. */
  lineOf(path: ValuePath): number;
}

/**
 * Reads a config file, provided with `shape`, what such a file looks like, for people.
 * @throws IsyncError CONFIG_INVALID when the file can't be read or is not YAML
 */
export type ReadConfigFile = (path: string, shape?: string) => ConfigFile;

/** Whether a value of a config file is a map. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
