import { z } from 'zod';
import { didYouMean } from './closest.ts';

/** The message, for zod, of keys that a map has and should not: each with the nearest right one. */
export function unknownKeys(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'unrecognized_keys') return undefined;
  const known = issue.inst instanceof z.ZodObject ? Object.keys(issue.inst.shape) : [];
  return issue.keys.map((key) => `has no setting "${key}"${didYouMean(key, known)}`).join(', ');
}
