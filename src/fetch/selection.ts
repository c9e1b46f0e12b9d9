import picomatch from 'picomatch/posix.js';
import { IsyncError } from '../model/isync-error.ts';

/** Longest glob in characters: it is compiled, and asked about each file. */
const MAX_GLOB = 1024;

/**
 * Whether a file is wanted, by its path below the place: a glob names it, or a folder above it. No glob: all are.
 * - Without "/" a glob is matched against names at any depth: `*.bin`, `DC1`.
 * - With "/" it is matched against whole paths, where "**" stands for any number of segments, none too. A "/" at the beginning only
 *   says that; one at the end is not heeded.
 * - A leading dot is nothing special. Upper and lower case differ.
 *
 * @throws IsyncError USAGE for a glob that can't be used
 */
export function createSelection(globs: readonly string[]): (path: string) => boolean {
  const ofNames: RegExp[] = [];
  const ofPaths: RegExp[] = [];
  for (const glob of globs) {
    const bare = glob.replace(/\/+$/, '');
    (bare.includes('/') ? ofPaths : ofNames).push(compile(glob, bare.replace(/^\//, '')));
  }
  if (globs.length === 0) return () => true;
  const isNamed = (path: string): boolean => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    return ofNames.some((each) => each.test(name)) || ofPaths.some((each) => each.test(path));
  };
  return (path) => {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1))
      if (isNamed(path.slice(0, end))) return true;
    return isNamed(path);
  };
}

function compile(given: string, glob: string): RegExp {
  if (glob === '') throw invalid(given, 'it names nothing');
  if (glob.length > MAX_GLOB) throw invalid(given, `it is longer than ${MAX_GLOB} characters`);
  // To picomatch it is "all but this", which in a list of globs nobody expects.
  if (/^!(?!\()/.test(glob)) throw invalid(given, 'there are no exceptions ("!")');
  try {
    // Without `debug` an expression that can't be compiled is silently one that matches nothing.
    return picomatch.makeRe(glob, { dot: true, nonegate: true, strictBrackets: true, debug: true });
  } catch (error) {
    throw invalid(given, error instanceof Error ? error.message : String(error), error);
  }
}

function invalid(glob: string, why: string, cause?: unknown): IsyncError {
  return new IsyncError('USAGE', `the glob "${glob}" can't be used: ${why}`, { cause });
}
