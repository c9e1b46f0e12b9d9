import { flag, listOf, notEmpty, one, path } from '../fields.ts';
import { badValue, parseBytes } from '../values.ts';

const text = one(notEmpty).optional();

/** What the commands that read, keep and remove backups are told beside the jobs: by options alone. */
export const backupBackAsks = {
  /** Name of the job. */
  job: text,
  /** Name of the one store that is meant. */
  store: text,
  /** Backups must have each of these tags. */
  tagged: listOf(parseTags),
  at: text,
  restoreTo: path.optional(),
  /** Path in the backup of the one file that is printed. */
  printed: text,
  replace: flag(),
  resume: flag(),
  deep: flag(),
  /** Bytes. */
  sample: one((given) => parseBytes(given, 1)).optional(),
  source: flag(),
  agree: flag(),
};

function parseTags(items: readonly string[]): readonly (readonly [key: string, value: string])[] {
  return items.map((item) => {
    const at = item.indexOf('=');
    if (at < 1) throw badValue(`has "${item}", which is no KEY=VALUE`);
    return [item.slice(0, at), item.slice(at + 1)];
  });
}
