import { readCatalogue } from '../../backup/catalogue/catalogue.ts';
import { chainFault } from '../../backup/catalogue/chain-fault.ts';
import { checkJob, type CheckedJob, type StoreCheck } from '../../backup/check/check-job.ts';
import { checkLines } from '../../backup/check/check-lines.ts';
import type { Manifest } from '../../backup/manifest/manifest.ts';
import type { BackupTarget } from '../../backup/target/target.ts';
import { printable } from '../../observe/printable.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { JobsWork } from './backup-command.ts';
import { jobsNamed } from './choose-job.ts';

/** A listing is tried for this long, in ms: that it works was found out just before. */
const GIVE_UP_MS = 30_000;

/** Tries everything at the stores of the jobs, or of one, says what it has found, and ends with 0 only where all is well. */
export async function runCheck(given: JobsWork): Promise<ExitCode> {
  const { jobs, words, log, output, signal } = given;
  const chosen = jobsNamed(jobs, words['job']);
  const checked: object[] = [];
  let isOk = true;
  for (const job of chosen) {
    const checks = await checkStores(job, { log, signal });
    for (const check of checks) {
      if (chosen.length > 1) output.text(`${job.name}:`);
      for (const line of checkLines(check)) output.text(printable(line));
      isOk &&= check.isOk;
    }
    checked.push({ job: job.name, stores: checks.map(asObject) });
  }
  return output.done({ jobs: checked }, isOk ? EXIT.DONE : EXIT.PROBLEMS);
}

/** Tries everything at the stores of a job. */
export async function checkStores(
  job: CheckedJob,
  { log, signal }: Pick<JobsWork, 'log' | 'signal'>,
): Promise<readonly StoreCheck[]> {
  return await checkJob(job, {
    signal,
    newest: async (target, signal) => await newestOf(target, { log, signal }),
  });
}

/** The newest that is whole: of one that is not, a key may fail to open what is not there. */
async function newestOf(
  target: BackupTarget,
  { log, signal }: Pick<JobsWork, 'log' | 'signal'>,
): Promise<Manifest | undefined> {
  const catalogue = await readCatalogue(target, { log, signal, giveUpAfterMs: GIVE_UP_MS });
  return catalogue.backups.find(({ manifest }) => chainFault(catalogue, manifest) === undefined)?.manifest;
}

function asObject({ health, permissions, identity, isOk }: StoreCheck): object {
  const { store, endpoints } = health;
  return {
    store,
    isOk,
    endpoints,
    permissions: permissions.map(({ thing, actions, neededBy, outcome, error }) => ({
      thing,
      actions,
      neededBy,
      outcome,
      ...(error !== undefined && { error: { code: error.code, message: error.message, hint: error.hint } }),
    })),
    identity:
      identity.outcome === 'failed'
        ? { outcome: 'failed', error: { code: identity.error.code, message: identity.error.message } }
        : identity,
  };
}
