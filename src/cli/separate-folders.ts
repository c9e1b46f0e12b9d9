import { realpath } from 'node:fs/promises';
import { errnoOf, IsyncError } from '../model/isync-error.ts';
import { isWithin } from '../model/is-within.ts';

/**
 * Refuses a target folder inside the root, which would be sent into itself, and the reverse, whose files a scan
 * would mark and seal. Symlinks are followed.
 * @throws IsyncError CONFIG_INVALID, ROOT_MISSING or STORE_MISSING
 */
export async function checkSeparate(root: string, target: string): Promise<void> {
  const realRoot = await realPathOf(root, 'ROOT_MISSING', 'the root');
  const realTarget = await realPathOf(target, 'STORE_MISSING', 'the target folder');
  const inside = isWithin(realTarget, realRoot) ? 'lies inside the root' : undefined;
  const around = isWithin(realRoot, realTarget) ? 'has the root inside' : undefined;
  const why = realRoot === realTarget ? 'is the root itself' : (inside ?? around);
  if (why === undefined) return;
  throw new IsyncError('CONFIG_INVALID', `the target folder ${why}`, {
    path: target,
    hint: 'Root and target must be apart; choose another --to.',
  });
}

async function realPathOf(
  path: string,
  code: 'ROOT_MISSING' | 'STORE_MISSING',
  what: string,
): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const errno = errnoOf(error);
    const absent = errno === 'ENOENT' || errno === 'ENOTDIR';
    throw new IsyncError(code, `${what} ${absent ? 'is not there' : `can't be reached (${errno ?? '?'})`}`, {
      path,
      cause: error,
      ...(absent && { hint: `Make it with: mkdir -p ${path}` }),
    });
  }
}
