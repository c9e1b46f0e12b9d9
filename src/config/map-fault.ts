import { z } from 'zod';
import { didYouMean } from './closest.ts';
import { isSecret } from './secret.ts';
import { shownName } from './shown.ts';

/** The message, for zod, of what is no map but should be, and of keys that a map should not have: with the nearest right one. */
export function mapFault(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type' && (issue.expected === 'object' || issue.expected === 'record'))
    return issue.input === undefined ? 'is missing' : 'is no map of settings';
  if (issue.code !== 'unrecognized_keys') return undefined;
  const shape = issue.inst instanceof z.ZodObject ? issue.inst.shape : {};
  return issue.keys.map((key) => unknownKey(key, shape)).join(', ');
}

function unknownKey(key: string, shape: Readonly<Record<string, unknown>>): string {
  const known = Object.keys(shape);
  const near = didYouMean(key, known);
  // `credentials: { SESAME }`: what is no name of a setting there may be a secret itself.
  if (near === '' && Object.values(shape).some(isSecret))
    return `has a setting that is none of ${known.join(', ')}`;
  return `has no setting "${shownName(key)}"${near}`;
}
