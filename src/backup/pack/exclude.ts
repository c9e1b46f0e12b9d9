import picomatch from 'picomatch/posix.js';

/**
 * Whether something is left out, by its path below its source. What lies in a folder that is left out is not asked about.
 * - Without "/" a glob is matched against the name, at any depth: `*.tmp`, `node_modules`.
 * - With "/" it is matched against the whole path below the source, where "**" stands for any number of segments, none too.
 *   A "/" at the beginning only says that; one at the end is not heeded.
 * - A leading dot is nothing special. Upper and lower case differ.
 *
 * The globs have been checked (parseExcludes in src/config).
 */
export function createExcludes(globs: readonly string[]): (path: string) => boolean {
  const ofNames: RegExp[] = [];
  const ofPaths: RegExp[] = [];
  for (const glob of globs) {
    const bare = glob.replace(/\/+$/, '');
    (bare.includes('/') ? ofPaths : ofNames).push(
      picomatch.makeRe(bare.replace(/^\//, ''), { dot: true, nonegate: true, strictBrackets: true }),
    );
  }
  return (path) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    return ofNames.some((each) => each.test(name)) || ofPaths.some((each) => each.test(path));
  };
}
