import { readFileSync } from 'node:fs';
import type { OwnerIds } from '../../model/owner-ids.ts';

const USERS = '/etc/passwd';
const GROUPS = '/etc/group';
/** Longest name in characters that a record holds. */
const MAX_NAME = 256;

/**
 * What this machine calls owners, by its own files as they are now: whom a directory service knows, is a number. As getpwuid(3), of several names
 * of one id it takes the first.
 */
export class OwnerNames {
  readonly #users: ReadonlyMap<number, string>;
  readonly #groups: ReadonlyMap<number, string>;

  constructor(users = USERS, groups = GROUPS) {
    this.#users = namesOf(users);
    this.#groups = namesOf(groups);
  }

  of({ uid, gid }: OwnerIds): { readonly user?: string; readonly group?: string } {
    const user = this.#users.get(uid);
    const group = this.#groups.get(gid);
    return { ...(user !== undefined && { user }), ...(group !== undefined && { group }) };
  }
}

/** Lines of both files begin with `NAME:PASSWORD:ID:`. */
function namesOf(path: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const line of textOf(path).split('\n')) {
    const [name = '', , id = ''] = line.split(':');
    if (name === '' || name.length > MAX_NAME || !/^\d{1,10}$/.test(id)) continue;
    if (!names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // A container may have none.
    return '';
  }
}
