import type { BackupJob } from '../../backup/job.ts';
import { openJobState } from '../../backup/state/open-state.ts';
import { verify, type Verification, type VerifyDepth } from '../../backup/verify/verify.ts';
import type { BackupConfig } from '../../config/schemas/backup.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { printable } from '../../observe/printable.ts';
import { formatBytes, formatCount } from '../../observe/units.ts';
import { errorText } from '../output.ts';
import { ensureParent, type JobsWork, jobsCommand } from './backup-command.ts';
import { type Look, lookAt, type LookOptions, storesNamed } from './catalogues.ts';
import { jobNamed } from './choose-job.ts';
import { errorObject, exitOf } from './exit-of.ts';
import { openStores, type Stores } from './open-stores.ts';
import { readContextOf } from './read-context.ts';
import { openScratch } from './scratch.ts';
import { tellVerified } from './tell-verified.ts';
import { compareSource } from './verify-source.ts';

/** `isync backup verify`. Exit code 1: something is damaged, or can't be read. */
export const runBackupVerify = jobsCommand(async (given) => {
  const { config, list, output } = given;
  const jobs =
    config.job === undefined && list.length === 0 ? given.jobs : [jobNamed(given.jobs, config.job)];
  if (config.deep && config.sample !== undefined)
    throw new IsyncError('USAGE', '--deep reads all: it does not go with --sample');
  const looks: Look[] = [];
  const told: object[] = [];
  let hasProblems = false;
  for (const job of jobs) {
    await using stores = await openStores(job);
    const verified = await verifyOne(given, job, stores);
    looks.push(...verified.looks);
    told.push({ job: job.name, targets: verified.targets, source: verified.source });
    hasProblems ||= verified.hasProblems;
  }
  return output.done({ jobs: told }, exitOf(looks, hasProblems));
});

interface VerifiedJob {
  readonly looks: readonly Look[];
  readonly targets: readonly object[];
  readonly source: object | undefined;
  readonly hasProblems: boolean;
}

async function verifyOne(given: JobsWork, job: BackupJob, stores: Stores): Promise<VerifiedJob> {
  const { config, list, log, signal } = given;
  await ensureParent(config, job);
  using state = await openJobState(job.stateDir);
  await using scratch = await openScratch(job);
  const asked = storesNamed(stores.targets, config.store, job);
  const looks = await lookAt(asked, { log, signal, state });
  checkNames(looks, list);
  const targets: object[] = [];
  let hasProblems = false;
  for (const look of looks) {
    given.output.text(`${job.name} at ${printable(look.target.name)}`);
    try {
      if ('error' in look) throw look.error;
      const { target, catalogue } = look;
      const depth = depthOf(config);
      const found = await verify({
        context: readContextOf(job, target, given),
        catalogue,
        names: list.length > 0 ? new Set(list) : undefined,
        depth,
        records: state.targets,
        scratchFolder: scratch.folder,
        now: Date.now,
      });
      const there = await stillThere(found, look, { log, signal, state });
      await tellVerified(job, target.name, depth, there, log);
      hasProblems ||=
        there.backups.some(({ fault }) => fault !== undefined) || catalogue.unreadable.length > 0;
      targets.push(tellStore(given, look, there));
    } catch (error) {
      if (signal.aborted || !(error instanceof IsyncError)) throw error;
      hasProblems = true;
      process.stderr.write(errorText(error));
      given.output.text(`  can't be read: ${printable(error.message)} [${error.code}]`);
      targets.push({ target: look.target.name, error: errorObject(error) });
    }
  }
  const source = config.source ? await compareSource(given, job, looks, scratch.folder) : undefined;
  return {
    looks,
    targets,
    source: source?.object,
    hasProblems: hasProblems || source?.hasProblems === true,
  };
}

/** A prune may have removed one meanwhile: that is no damage. */
async function stillThere(
  found: Verification,
  { target }: Look,
  options: LookOptions,
): Promise<Verification> {
  if (found.backups.every(({ fault }) => fault === undefined)) return found;
  const [again] = await lookAt([target], options);
  if (again === undefined || 'error' in again) return found;
  const names = new Set(again.catalogue.backups.map(({ manifest }) => manifest.name));
  return { ...found, backups: found.backups.filter(({ name }) => names.has(name)) };
}

/** @throws IsyncError USAGE where all stores answer, and none has it */
function checkNames(looks: readonly Look[], names: readonly string[]): void {
  if (looks.some((look) => 'error' in look)) return;
  const known = new Set(
    looks.flatMap((look) =>
      'error' in look ? [] : look.catalogue.backups.map(({ manifest }) => manifest.name),
    ),
  );
  const missing = names.find((name) => !known.has(name));
  if (missing !== undefined)
    throw new IsyncError('USAGE', `there is no backup ${missing}`, {
      hint: 'isync backup list has the names of all.',
    });
}

function depthOf({ deep, sample }: BackupConfig): VerifyDepth {
  if (deep) return { kind: 'deep' };
  return sample === undefined ? { kind: 'shallow' } : { kind: 'sample', bytes: sample };
}

function tellStore({ output }: JobsWork, look: Look, { backups, readBytes }: Verification): object {
  const unreadable = 'error' in look ? [] : look.catalogue.unreadable;
  for (const { name, fault } of backups)
    output.text(
      fault === undefined ? `  ok       ${printable(name)}` : `  damaged  ${printable(`${name}: ${fault}`)}`,
    );
  for (const { key, error } of unreadable)
    output.text(`  unreadable  ${printable(`${key}: ${error.message}`)} [${error.code}]`);
  const damaged = backups.filter(({ fault }) => fault !== undefined).length;
  output.text(
    `  ${formatCount(backups.length, 'backup')}, ${damaged} damaged${readBytes > 0 ? `, ${formatBytes(readBytes)} read` : ''}`,
  );
  return {
    target: look.target.name,
    backups,
    readBytes,
    unreadable: unreadable.map(({ key, error }) => ({ key, error: errorObject(error) })),
  };
}
