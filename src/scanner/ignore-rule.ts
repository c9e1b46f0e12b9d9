import picomatch from 'picomatch/posix.js';
import { IsyncError } from '../model/isync-error.ts';

/** Whether the file at `path`, relative to the root, is to be left alone. Asked about files, never about folders. */
export type IgnoreRule = (path: string) => boolean;

/**
 * A rule from glob patterns (picomatch; `*`, `?`, `[a-z]`, `{a,b}`, `**`, `!(a)`; `\` takes away a meaning).
 * - Without "/" a pattern is matched against the file's name, at any depth: `*.tmp`.
 * - With "/" it is matched against the whole path below the data directory: `raw/*.log`, `scratch/**`. A "/" at the
 *   beginning only says that: `/x.log` is `x.log` at the data directory's first level.
 * - A leading dot is nothing special: `*.tmp` matches `.x.tmp` too. Upper and lower case differ.
 * - Folders are not ignored by their name: for what lies below one write `name/**`.
 *
 * @throws IsyncError CONFIG_INVALID
 */
export function createIgnoreRule(patterns: readonly string[]): IgnoreRule {
  const ofNames: RegExp[] = [];
  const ofPaths: RegExp[] = [];
  for (const pattern of patterns) {
    if (pattern.includes('/')) ofPaths.push(compile(pattern, pattern.replace(/^\//, '')));
    else ofNames.push(compile(pattern, pattern));
  }
  return (path) => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (ofNames.some((expression) => expression.test(name))) return true;
    if (ofPaths.length === 0) return false;
    const below = path.slice(path.indexOf('/') + 1);
    return ofPaths.some((expression) => expression.test(below));
  };
}

function compile(pattern: string, glob: string): RegExp {
  if (glob === '') throw invalid(pattern, 'it is empty');
  if (glob.endsWith('/')) throw invalid(pattern, `no file's path ends with "/"; write "${pattern}**"`);
  // In a list of patterns people take it for an exception, as in .gitignore; to picomatch it is "all but this".
  if (/^!(?!\()/.test(glob)) throw invalid(pattern, 'there are no exceptions ("!")');
  try {
    // Without `debug` an expression that can't be compiled is silently one that matches nothing.
    return picomatch.makeRe(glob, { dot: true, nonegate: true, strictBrackets: true, debug: true });
  } catch (error) {
    throw invalid(pattern, error instanceof Error ? error.message : String(error), error);
  }
}

function invalid(pattern: string, why: string, cause?: unknown): IsyncError {
  return new IsyncError('CONFIG_INVALID', `the ignore pattern "${pattern}" can't be used: ${why}`, { cause });
}
