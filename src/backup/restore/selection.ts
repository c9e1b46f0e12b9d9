import { createExcludes } from '../pack/exclude.ts';

/**
 * Whether a member is to be restored, by its path in the archive: one of the globs names it, or a folder above it. They are read as those
 * of `exclude` are: without "/" a name at any depth. No glob: everything.
 */
export function createSelection(globs: readonly string[]): (path: string) => boolean {
  if (globs.length === 0) return () => true;
  const isNamed = createExcludes(globs);
  return (path) => {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1))
      if (isNamed(path.slice(0, end))) return true;
    return isNamed(path);
  };
}
