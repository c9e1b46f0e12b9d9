import { readSecretText } from '../../config/read-text.ts';
import { type ErrorCode, type IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { createDecryption } from '../encrypt/create-decryption.ts';
import type { BackupJob, JobTarget } from '../job.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { openTarget } from '../target/open-target.ts';
import type { BackupTarget } from '../target/target.ts';
import { proveIdentity } from './identity.ts';
import { checkPermissions, type CheckResult } from './permissions.ts';
import { fastestFirst, healthOf, type StoreHealth } from './store-health.ts';

/** Connections to each server: p95 is then not just the slowest of them. */
const SAMPLES = 20;

/** With these a store has not even been asked. Its health says why, and each permission would only wait for the same. */
const UNREACHED: ReadonlySet<string> = new Set([
  'UNREACHABLE',
  'LINK_LOST',
  'TLS_FAILED',
  'CONFIG_INVALID',
] satisfies ErrorCode[]);

export interface StoreCheck {
  readonly health: StoreHealth;
  /** Of the fastest healthy server. */
  readonly permissions: readonly CheckResult[];
  readonly identity: IdentityCheck;
  /** Runs can do their work here. What only a prune lacks is a remark. */
  readonly isOk: boolean;
}

export type IdentityCheck =
  | { readonly outcome: 'ok'; readonly backup: string }
  | { readonly outcome: 'failed'; readonly error: IsyncError }
  /** There is no key on this machine, or no encrypted backup yet. */
  | { readonly outcome: 'skipped' };

export interface CheckOptions {
  readonly signal: AbortSignal;
  /** The newest complete backup of a target; undefined: there is none. */
  readonly newest: (target: BackupTarget, signal: AbortSignal) => Promise<Manifest | undefined>;
  /** Connections to each server. Default {@link SAMPLES}. */
  readonly samples?: number | undefined;
}

export type CheckedJob = Pick<BackupJob, 'name' | 'to' | 'tags' | 'identityFile'>;

/** Looks at each target of a job, in the order of the config. Rejects with the reason of the signal only. */
export async function checkJob(job: CheckedJob, options: CheckOptions): Promise<readonly StoreCheck[]> {
  const checks: StoreCheck[] = [];
  for (const to of job.to) checks.push(await checkStore(job, to, options));
  return checks;
}

async function checkStore(job: CheckedJob, to: JobTarget, options: CheckOptions): Promise<StoreCheck> {
  const { signal, samples = SAMPLES } = options;
  const health = await healthOf(to, job.name, { samples, signal });
  let permissions: readonly CheckResult[] = [];
  let identity: IdentityCheck = { outcome: 'skipped' };
  if (health.endpoints.some(({ fault }) => fault === undefined || !UNREACHED.has(fault.code))) {
    await using target = openTarget(fastestFirst(to, health), job.name);
    permissions = await checkPermissions(target, { tags: job.tags, signal });
    identity = await checkIdentity(job, target, options);
  }
  const isOk =
    health.endpoints.some(({ isUp }) => isUp) &&
    permissions.every(({ outcome, neededBy }) => outcome === 'ok' || neededBy === 'prune') &&
    identity.outcome !== 'failed';
  return { health, permissions, identity, isOk };
}

async function checkIdentity(
  { identityFile }: CheckedJob,
  target: BackupTarget,
  { newest, signal }: CheckOptions,
): Promise<IdentityCheck> {
  if (identityFile === undefined) return { outcome: 'skipped' };
  try {
    const decryption = createDecryption(readSecretText(identityFile, 'the identity file'));
    const manifest = await newest(target, signal);
    if (manifest === undefined || !manifest.isEncrypted) return { outcome: 'skipped' };
    await proveIdentity(target, manifest, decryption, signal);
    return { outcome: 'ok', backup: manifest.name };
  } catch (error) {
    signal.throwIfAborted();
    return { outcome: 'failed', error: toIsyncError(error, 'INTERNAL') };
  }
}
