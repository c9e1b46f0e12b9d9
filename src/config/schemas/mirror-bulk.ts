import { resolve } from 'node:path';
import { flag, listOf, one, path } from '../fields.ts';
import { badValue, parseCount } from '../values.ts';

/** Longest time that a report looks back, in days: ten years. */
const MOST_DAYS = 3650;

/** What the commands below `isync mirror` are told beside the settings of the mirror. */
export const mirrorBulk = {
  /** File of keys and URLs; `-`: stdin. Default: what the `s3://` origins list. */
  list: one((text) => (text === '-' ? text : resolve(notEmpty(text)))).optional(),
  /** Where the keys are written that have failed. */
  failed: path.optional(),
  changed: flag(),
  dryRun: flag(),
  days: one(parseDays).prefault('7'),
  /** Segments of keys that are told apart. */
  depth: one(parseCount).prefault('1'),
  /** Access logs of the server. */
  log: listOf((files) => files.map((file) => resolve(notEmpty(file)))),
};

function parseDays(text: string): number {
  const days = parseCount(text);
  if (days > MOST_DAYS) throw badValue(`is more than ${MOST_DAYS} days`);
  return days;
}

function notEmpty(text: string): string {
  if (text === '') throw badValue('is empty');
  return text;
}
