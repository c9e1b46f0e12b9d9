import { hostname, userInfo } from 'node:os';
import type { KnownBackup } from '../../backup/catalogue/catalogue.ts';
import { removeMark, setMark } from '../../backup/catalogue/marks.ts';
import type { BackupTarget } from '../../backup/target/target.ts';
import { attempting } from '../../backup/upload/attempts.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import { printable } from '../../observe/printable.ts';
import type { ExitCode } from '../exit-codes.ts';
import { errorText } from '../output.ts';
import { type JobsWork, jobsCommand } from './backup-command.ts';
import { type Look, lookAt, storesNamed } from './catalogues.ts';
import { jobNamed } from './choose-job.ts';
import { errorObject, errorsOf, exitOf } from './exit-of.ts';
import { openKnownState } from './known-state.ts';
import { openStores } from './open-stores.ts';

/** How long a store may fail until the mark is not set there, in ms: somebody waits. */
const GIVE_UP_MS = 30_000;

interface Change {
  readonly target: BackupTarget;
  readonly backup: KnownBackup;
  readonly options: { readonly log: Log; readonly signal: AbortSignal; readonly giveUpAfterMs: number };
}

/** `isync backup mark NAME REASON`, in every store that has the backup. */
export const runBackupMark = jobsCommand(async (given) => {
  const reason = given.words['reason'] ?? '';
  return await inEachStore(given, async ({ target, backup, options }) => {
    const { manifest, manifestKey } = backup;
    await setMark(target, manifest, { reason, markedMs: Date.now(), by: whoAmI() }, options);
    // A prune may have been quicker.
    const look = async (): Promise<boolean> =>
      (await target.head(manifestKey, { signal: options.signal })) !== undefined;
    if (await attempting(`look for ${manifestKey}`, look, options)) return 'marked';
    throw new IsyncError('MISSING', 'the backup has been removed before it was marked', {
      path: manifest.name,
    });
  });
});

/** `isync backup unmark NAME`. */
export const runBackupUnmark = jobsCommand(async (given) => {
  return await inEachStore(given, async ({ target, backup, options }) => {
    const outcome = await removeMark(target, backup.manifest.name, options);
    if (outcome === 'locked')
      throw new IsyncError('STORE_REFUSED', 'the store locks the mark: it stays until that ends', {
        path: backup.manifest.name,
      });
    return outcome === 'absent' ? 'not marked' : 'unmarked';
  });
});

async function inEachStore(given: JobsWork, change: (one: Change) => Promise<string>): Promise<ExitCode> {
  const { config, words, output, log, signal } = given;
  const name = words['name'] ?? '';
  const job = jobNamed(given.jobs, config.job);
  await using stores = await openStores(job);
  using state = await openKnownState(job, log);
  const looks = await lookAt(storesNamed(stores.targets, config.store, job), { ...given, state });
  if (!looks.some((look) => backupIn(look, name)) && errorsOf(looks).length === 0)
    throw new IsyncError('USAGE', `there is no backup ${name}`, {
      hint: 'isync backup list has the names of all.',
    });
  const told: object[] = [];
  let hasProblems = false;
  for (const look of looks) {
    const { target } = look;
    try {
      if ('error' in look) throw look.error;
      const backup = backupIn(look, name);
      const options = { log: log.with({ target: target.name }), signal, giveUpAfterMs: GIVE_UP_MS };
      const outcome = backup === undefined ? 'not there' : await change({ target, backup, options });
      output.text(`${printable(target.name)}: ${outcome}`);
      told.push({ target: target.name, outcome });
    } catch (error) {
      if (signal.aborted || !(error instanceof IsyncError)) throw error;
      hasProblems = true;
      process.stderr.write(errorText(error));
      output.text(`${printable(target.name)}: failed`);
      told.push({ target: target.name, outcome: 'failed', error: errorObject(error) });
    }
  }
  return output.done({ backup: name, targets: told }, exitOf(looks, hasProblems));
}

function backupIn(look: Look, name: string): KnownBackup | undefined {
  return 'error' in look ? undefined : look.catalogue.backups.find(({ manifest }) => manifest.name === name);
}

function whoAmI(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A user without a name, as in containers.
    return `${process.getuid?.() ?? ''}@${hostname()}`;
  }
}
