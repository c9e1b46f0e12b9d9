import { printRestored } from './restore-print.ts';
import type { WhichBackup } from '../../backup/catalogue/find-backup.ts';
import { begunIn } from '../../backup/restore/destination.ts';
import { Tally } from '../../backup/restore/tally.ts';
import { restore, type Restored } from '../../backup/restore/restore.ts';
import { parseExcludes } from '../../config/backup-values.ts';
import type { BackupConfig } from '../../config/schemas/backup.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { printable } from '../../observe/printable.ts';
import { formatBytes, formatCount } from '../../observe/units.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { timeOf } from './at-time.ts';
import { type JobsWork, jobsCommand } from './backup-command.ts';
import { lookAt, storesNamed } from './catalogues.ts';
import { jobNamed } from './choose-job.ts';
import { errorObject } from './exit-of.ts';
import { findSomewhere, type FoundSomewhere } from './find-somewhere.ts';
import { openKnownState } from './known-state.ts';
import { openStores } from './open-stores.ts';
import { readContextOf } from './read-context.ts';

/** `isync backup restore`. Exit code 0 only where all that was asked for is there. */
export const runBackupRestore = jobsCommand(async (given) => {
  const { config, log } = given;
  const job = jobNamed(given.jobs, config.job);
  const { which, globs } = wantedOf(given.list, config.at, job.timezone);
  checkOptions(config, globs);
  await using stores = await openStores(job);
  using state = await openKnownState(job, log);
  const looks = await lookAt(storesNamed(stores.targets, config.store, job), { ...given, state });
  for (const look of looks)
    if ('error' in look) log.warn('a store is left out', { target: look.target.name, err: look.error });
  const found = findSomewhere(looks, await resumedOr(which, config));
  for (const passed of found.passedOver) log.warn('a newer backup is passed over: it is not whole', passed);
  const context = readContextOf(job, found.target, given);
  const { manifest } = found.backup;
  if (config.printed !== undefined) return await printRestored(given, job, context, manifest, config.printed);
  const tally = new Tally();
  given.screen.showProgress(() => ({ files: tally.files, bytes: tally.fetched }));
  const request = {
    context,
    manifest,
    to: config.restoreTo ?? '',
    globs,
    isReplace: config.replace,
    isResume: config.resume,
    tally,
  };
  return tell(given, found, await restore(request));
});

/** What the words of the command line ask for. @throws IsyncError USAGE */
export function wantedOf(
  words: readonly string[],
  at: string | undefined,
  timezone: string,
): { readonly which: WhichBackup; readonly globs: readonly string[] } {
  if (at !== undefined) return { which: { kind: 'at', atMs: timeOf(at, timezone) }, globs: checked(words) };
  const [name, ...globs] = words;
  if (name === undefined)
    throw new IsyncError('USAGE', 'which backup? Give its NAME, "latest", or --at TIME', {
      hint: 'isync backup list has the names.',
    });
  return { which: name === 'latest' ? { kind: 'latest' } : { kind: 'name', name }, globs: checked(globs) };
}

/** What was the newest backup when a restore began may not be any more: a restore that goes on does so with the one of then. */
async function resumedOr(
  which: WhichBackup,
  { resume, restoreTo, replace }: BackupConfig,
): Promise<WhichBackup> {
  if (!resume || restoreTo === undefined || which.kind === 'name') return which;
  const name = await begunIn({ to: restoreTo, isReplace: replace });
  return name === undefined ? which : { kind: 'name', name };
}

function checkOptions(
  { restoreTo, printed, replace, resume, json }: BackupConfig,
  globs: readonly string[],
): void {
  if (printed === undefined) {
    if (restoreTo === undefined) throw usage('to is missing; give it with --to DIR');
    return;
  }
  if (restoreTo !== undefined || replace || resume || globs.length > 0)
    throw usage('--stdout prints one file: it goes with neither --to, --replace, --resume nor globs');
  if (json) throw usage('--stdout prints the file itself: it does not go with --json');
}

function tell(
  { output }: JobsWork,
  { target, backup, passedOver }: FoundSomewhere,
  restored: Restored,
): ExitCode {
  const { tally, folder, isComplete, keptAs } = restored;
  const { files, directories, symlinks, bytes, torn, resumed, problems, firstProblems } = tally;
  const { name } = backup.manifest;
  output.text(`${printable(name)} of ${printable(target.name)}`);
  const counts = [
    `${formatCount(files, 'file')} (${formatBytes(bytes)})`,
    formatCount(directories, 'folder'),
    ...(symlinks > 0 ? [formatCount(symlinks, 'symlink')] : []),
    ...(resumed > 0 ? [`${resumed.toLocaleString('en-US')} there already`] : []),
    ...(torn > 0 ? [`${torn.toLocaleString('en-US')} torn: they changed while they were backed up`] : []),
  ];
  output.text(`${counts.join(', ')} in ${printable(folder)}`);
  if (keptAs !== undefined) output.text(`The folder that was there is ${printable(keptAs)}`);
  if (!isComplete) {
    output.text(
      `NOT complete: ${formatCount(problems, 'problem')}; once the cause is mended, --resume goes on`,
    );
    for (const { path, error } of firstProblems)
      output.text(`  ${printable(path)}: ${printable(error.message)} [${error.code}]`);
    if (problems > firstProblems.length) output.text(`  and ${problems - firstProblems.length} more`);
  }
  const summary = {
    backup: name,
    target: target.name,
    folder,
    isComplete,
    keptAs,
    files,
    directories,
    symlinks,
    bytes,
    torn,
    resumed,
    problemCount: problems,
    problems: firstProblems.map(({ path, error }) => ({ ...errorObject(error), path })),
    passedOver,
  };
  return output.done(summary, isComplete ? EXIT.DONE : EXIT.PROBLEMS);
}

function usage(message: string): IsyncError {
  return new IsyncError('USAGE', message);
}

/** What can't be compiled would match nothing. */
function checked(globs: readonly string[]): readonly string[] {
  try {
    return parseExcludes(globs);
  } catch (error) {
    throw usage(`the command line ${toIsyncError(error, 'USAGE').message}`);
  }
}
