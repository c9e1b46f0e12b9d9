import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { errnoOf } from '../model/isync-error.ts';

/** Writable by others than the owner. */
const OTHERS_WRITE = 0o022;
/** Of any use to others: Node makes folders inside with the umask that there is. */
const OTHERS = 0o077;
/** Whoever may write there may not rename or remove what is another's. */
const STICKY = 0o1000;

/**
 * Has Node keep what V8 compiles, in the user's own cache folder. Node's default is one in the folder for temporary files, where anybody can
 * lay code in advance that is then run by this user. Without a folder that is ours alone nothing is kept: a start takes some 0.1 s longer.
 * A NODE_COMPILE_CACHE in the environment has told Node already.
 */
export function keepCompiled(): void {
  if ((process.env['NODE_COMPILE_CACHE'] ?? '') !== '') return;
  const folder = ownCacheFolder();
  if (folder !== undefined) enableCompileCache(folder);
}

function ownCacheFolder(): string | undefined {
  try {
    const { XDG_CACHE_HOME: given = '' } = process.env;
    // https://specifications.freedesktop.org/basedir-spec: a relative one does not count.
    const base = isAbsolute(given) ? given : join(homedir(), '.cache');
    const named = join(base, 'isync');
    for (const path of [base, named]) {
      // In what is another user's nothing is made, either.
      if (!isOursAlone(realpathSync(dirname(path)))) return undefined;
      makeUnlessThere(path);
    }
    const folder = realpathSync(named);
    const isClosed = (lstatSync(folder).mode & OTHERS) === 0;
    return isClosed && isOursAlone(folder) ? folder : undefined;
  } catch {
    // No home, or one that can't be written to, as most services have.
    return undefined;
  }
}

/** With `recursive` Node never comes back from a home that is in /proc. */
function makeUnlessThere(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/** Whether nobody but this user and root could put another folder in the place of this one. */
function isOursAlone(folder: string): boolean {
  const me = process.getuid?.();
  for (let path = folder; ; path = dirname(path)) {
    const { uid, mode } = lstatSync(path);
    const isSafe = (mode & OTHERS_WRITE) === 0 || (mode & STICKY) !== 0;
    if (!isSafe || (uid !== me && uid !== 0)) return false;
    if (path === dirname(path)) return true;
  }
}
