import { execFileSync } from 'node:child_process';
import { resolveOwner } from '../../config/owner.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { OwnerIds } from '../../model/owner-ids.ts';
import type { Placed } from './place.ts';

export interface ServiceUser {
  readonly name: string;
  /** Undefined: whoever runs this, who can give files to nobody else. */
  readonly ids: OwnerIds | undefined;
  readonly placed: Placed;
}

/**
 * The user that a server's service runs as, made where there is none. Only root can do so: else it is whoever runs this.
 * @throws IsyncError CONFIG_INVALID where it can't be made
 */
export function serviceUser(name: string): ServiceUser {
  if (process.getuid?.() !== 0) return { name: process.env['USER'] ?? '', ids: undefined, placed: 'kept' };
  const known = idsOf(name);
  if (known !== undefined) return { name, ids: known, placed: 'kept' };
  const args = [
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir',
    '/nonexistent',
    '--shell',
    '/usr/sbin/nologin',
    name,
  ];
  try {
    execFileSync('useradd', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    throw new IsyncError('CONFIG_INVALID', `the user "${name}" can't be made`, {
      cause: error,
      hint: `Make it (adduser --system --group ${name}), or name one that is there with --user.`,
    });
  }
  return { name, ids: idsOf(name), placed: 'made' };
}

function idsOf(name: string): OwnerIds | undefined {
  try {
    return resolveOwner({ user: name, group: undefined });
  } catch {
    // There is none.
    return undefined;
  }
}
