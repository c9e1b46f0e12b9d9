/** The top-level key of a config file with the stores that commands refer to by name. */
export const STORES = 'stores';

/** The top-level key of a config file with the scans that one process runs. */
export const SCANS = 'scans';

/** Returns the name of a setting on the command line and in the config file: `tokenFile` → `token-file`. */
export function optionName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Returns the name of a setting in the environment: `tokenFile` or `token-file` → `ISYNC_TOKEN_FILE`. */
export function environmentName(key: string): string {
  return `ISYNC_${optionName(key).replaceAll('-', '_').toUpperCase()}`;
}
