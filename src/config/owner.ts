import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { IsyncError } from '../model/isync-error.ts';
import type { OwnerIds } from '../model/owner-ids.ts';
import { badValue } from './values.ts';

/** Whose files are; names, or numbers as text. */
export interface OwnerNames {
  readonly user: string;
  /** Undefined: the group that the user has in the system's list. */
  readonly group: string | undefined;
}

/** POSIX names, and what directory services have beside: DOMAIN\user, user@domain, machine$. */
const NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_.@\\-]{0,255}\$?$/u;
/** 2^32 - 1 means "leave as it is" to chown(2). */
const MAX_ID = 2 ** 32 - 2;

/** `USER`, `USER:GROUP` or `UID:GID`. */
export function parseOwner(text: string): OwnerNames {
  const [user = '', group, ...more] = text.split(':');
  const names = group === undefined ? [user] : [user, group];
  if (more.length > 0 || !names.every((name) => NAME.test(name)))
    throw badValue('is no owner like USER, USER:GROUP or 1000:1000');
  if (group === undefined && isNumber(user)) throw badValue('needs a group as well: UID:GID');
  if (names.some((name) => isNumber(name) && Number(name) > MAX_ID))
    throw badValue('has a number that is too large');
  return { user, group };
}

/**
 * Looks names up in the system's lists, those of directory services among them.
 * @throws IsyncError CONFIG_INVALID where a name is in none
 */
export function resolveOwner({ user, group }: OwnerNames): OwnerIds {
  const found = isNumber(user) ? undefined : lookUp('passwd', user);
  const uid = isNumber(user) ? Number(user) : Number(found?.[2]);
  if (group === undefined) return { uid, gid: Number(found?.[3]) };
  return { uid, gid: isNumber(group) ? Number(group) : Number(lookUp('group', group)[2]) };
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

/** The fields of the line of `name`. */
function lookUp(list: 'passwd' | 'group', name: string): readonly string[] {
  const fields = linesOf(list, name)
    .map((line) => line.split(':'))
    .find((fields) => fields.length > 3 || (list === 'group' && fields.length > 2));
  if (fields !== undefined) return fields;
  const what = list === 'passwd' ? 'user' : 'group';
  throw new IsyncError('CONFIG_INVALID', `owner: there is no ${what} "${name}" on this machine`, {
    hint: 'Make it, or give numbers: UID:GID.',
  });
}

function linesOf(list: 'passwd' | 'group', name: string): readonly string[] {
  try {
    return execFileSync('getent', [list, name], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).split('\n');
  } catch {
    // No such name, or no getent (musl): the files say.
    const lines = readFileSync(`/etc/${list}`, 'utf8').split('\n');
    return lines.filter((line) => line.startsWith(`${name}:`));
  }
}
