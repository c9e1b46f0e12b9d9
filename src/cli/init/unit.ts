import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { PACKAGE_FOLDER } from '../package-folder.ts';

/** Where units of the administrator are. */
const UNITS = '/etc/systemd/system';
/** The units that docs/operations.md names, which this fills in. */
const TEMPLATES = new URL('deploy/', PACKAGE_FOLDER);
/** What ProtectHome and PrivateTmp hide from a service. */
const HOMES = /^\/(?:home|root|run\/user)(?:\/|$)/;
const TEMPORARY = /^\/(?:var\/)?tmp(?:\/|$)/;

export interface UnitFacts {
  readonly command: 'receive' | 'scan';
  readonly config: string;
  /** The file that only root need read, which systemd passes on: the key of a receiver, the token of a scan. */
  readonly credential: string;
  /** A name, or a number as text. */
  readonly user: string;
  /** Of the store, or the root. */
  readonly folder: string;
}

/** Whether this machine is run by systemd, so that a unit is of use. */
export function hasSystemd(): boolean {
  return existsSync(UNITS);
}

export function unitPath(command: UnitFacts['command']): string {
  return `${UNITS}/isync-${command}.service`;
}

/** The unit of deploy/ with the places of this machine. */
export function unitText({ command, config, credential, user, folder }: UnitFacts): string {
  const template = readFileSync(new URL(`isync-${command}.service`, TEMPLATES), 'utf8');
  const words = programWords();
  const set = {
    ...settingsOf(command, words.map(quoted).join(' '), quoted(config), credential),
    ConditionPathExists: (words.at(-1) ?? '').replaceAll('%', '%%'),
    User: user,
  };
  const places = [...words, config, folder];
  const isHome = places.some((path) => HOMES.test(path));
  const isTemporary = places.some((path) => TEMPORARY.test(path));
  return template.slice(template.indexOf('[Unit]')).replaceAll(/^(\w+)=(.*)$/gm, (line, name: string) => {
    const given = Object.entries(set).find(([each]) => each === name)?.[1];
    if (given !== undefined) return `${name}=${given}`;
    if (name === 'Group') return `Group=${user}`;
    if (name === 'RequiresMountsFor' || name === 'ReadWritePaths') return `${name}=${quoted(folder)}`;
    if (name === 'ProtectHome' && isHome) return `${name}=false`;
    if (name === 'PrivateTmp' && isTemporary) return `${name}=false`;
    return line;
  });
}

function settingsOf(command: UnitFacts['command'], program: string, config: string, credential: string) {
  const [option, name] = command === 'receive' ? ['tls-key', 'tls-key'] : ['token-file', 'token'];
  return {
    ExecStart: `${program} ${command} --config ${config} --${option} %d/${name}`,
    LoadCredential: `${name}:${credential.replaceAll('%', '%%')}`,
  };
}

/** This program, where it really is: a unit has no PATH to speak of. */
function programWords(): string[] {
  const [, main = 'isync'] = process.argv;
  return [process.execPath, realpathSync(main)];
}

/** As systemd reads words: https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html */
function quoted(word: string): string {
  const text = word.replaceAll('%', '%%');
  return /^[\w/.:@%+=-]+$/.test(text) ? text : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
