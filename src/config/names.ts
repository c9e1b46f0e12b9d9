/** The top-level key of a config file with the stores that commands refer to by name. */
export const STORES = 'stores';

/** `tokenFile` → `token-file`: its name on the command line and in the config file. */
export function optionName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `tokenFile` or `token-file` → `ISYNC_TOKEN_FILE`. */
export function environmentName(key: string): string {
  return `ISYNC_${optionName(key).replaceAll('-', '_').toUpperCase()}`;
}
