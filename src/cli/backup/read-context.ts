import { createDecryption } from '../../backup/encrypt/create-decryption.ts';
import type { Decryption } from '../../backup/encrypt/encryption.ts';
import type { BackupJob } from '../../backup/job.ts';
import type { ReadContext } from '../../backup/read/read-context.ts';
import type { BackupTarget } from '../../backup/target/target.ts';
import { readSecretText } from '../../config/read-text.ts';
import type { LastingWork } from '../lasting-command.ts';

/**
 * The private key of this machine; undefined where the job names none.
 * @throws IsyncError CONFIG_INVALID, KEY_MISSING
 */
export function decryptionOf({ identityFile }: Pick<BackupJob, 'identityFile'>): Decryption | undefined {
  if (identityFile === undefined) return undefined;
  return createDecryption(readSecretText(identityFile, 'the identity file'));
}

/** What it takes to read backups of a store. @throws IsyncError as decryptionOf() does */
export function readContextOf(
  job: BackupJob,
  target: BackupTarget,
  { log, signal }: Pick<LastingWork<object>, 'log' | 'signal'>,
): ReadContext {
  return { target, decryption: decryptionOf(job), log: log.with({ target: target.name }), signal };
}
