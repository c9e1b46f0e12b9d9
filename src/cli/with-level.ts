import { IsyncError } from '../model/isync-error.ts';
import { LEVEL_LETTERS } from './commands/options.ts';

/**
 * Returns `flags` with -v and -q as the --log-level that they stand for.
 * @throws IsyncError USAGE where more than one of the three is given
 */
export function withLevel(flags: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const letters = Object.entries(LEVEL_LETTERS).filter(([letter]) => flags[letter] === true);
  const [first, ...more] = letters;
  if (first === undefined) return flags;
  if (more.length > 0 || flags['log-level'] !== undefined)
    throw new IsyncError('USAGE', `-${first[0]} is given, and another level as well; which is meant?`, {
      hint: '-v is --log-level debug, -q is --log-level warn.',
    });
  return { ...flags, 'log-level': first[1].level };
}
