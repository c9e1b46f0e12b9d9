import type { StoreCheck } from '../../backup/check/check-job.ts';
import { THINGS } from '../../backup/check/check-lines.ts';
import { checkStores } from '../backup/check.ts';
import type { JobsWork } from '../backup/backup-command.ts';
import { type Check, failure, ok, passing, warning } from './check.ts';
import { machineChecks } from './machine.ts';

/** The sources are read a few files at a time, and sent over a few connections. */
const FILES = 512;

/** What `isync backup check` looks at, and the machine. */
export async function* backupChecks({ jobs, log, signal }: JobsWork): AsyncGenerator<Check> {
  yield* machineChecks(FILES);
  for (const job of jobs)
    for (const check of await checkStores(job, { log, signal })) yield* checksOf(job.name, check);
}

function* checksOf(job: string, { health, permissions, identity }: StoreCheck): Generator<Check> {
  const name = `${job}: ${health.store}`;
  const isAnyUp = health.endpoints.some(({ isUp }) => isUp);
  for (const { endpoint, isUp, fault } of health.endpoints) {
    if (isUp) yield ok(name, `${endpoint} can be used`);
    // Runs use the others.
    else
      yield {
        ...warning(
          name,
          `${endpoint}: ${fault?.message ?? 'loses more than half of the requests'}`,
          fault?.hint,
        ),
        level: isAnyUp ? 'warn' : 'fail',
      };
  }
  for (const { thing, neededBy, outcome, error } of permissions) {
    if (outcome !== 'failed' || error === undefined) continue;
    const check = neededBy === 'run' ? failure(name, error) : passing(name, error);
    yield { ...check, message: `${THINGS[thing]}: ${check.message}` };
  }
  if (permissions.length > 0 && permissions.every(({ outcome }) => outcome === 'ok'))
    yield ok(name, 'all that runs and prunes do may be done');
  if (identity.outcome === 'failed') yield failure(name, identity.error);
}
