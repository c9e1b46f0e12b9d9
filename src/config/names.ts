import { SCHEMAS, type CommandName } from './schemas.ts';

/** The one setting whose value is never shown, and that only the environment may hold. */
export const SECRET = 'token';

/** Settings that are given by their place on the command line, and their name there. */
export const POSITIONALS: Readonly<Record<string, string>> = { root: 'ROOT', store: 'STORE' };

/** `tokenFile` → `token-file`: its name on the command line and in the config file. */
export function optionName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `tokenFile` → `ISYNC_TOKEN_FILE`. */
export function environmentName(key: string): string {
  return `ISYNC_${optionName(key).replaceAll('-', '_').toUpperCase()}`;
}

export const COMMANDS: readonly CommandName[] = ['scan', 'receive', 'token', 'verify'];

/** The settings of a command. */
export function keysOf(command: CommandName): string[] {
  return Object.keys(SCHEMAS[command].shape);
}

/** Every variable that some command reads. */
export function environmentNames(): string[] {
  const keys = new Set(COMMANDS.flatMap((command) => keysOf(command)));
  return ['config', ...keys].map((key) => environmentName(key));
}
