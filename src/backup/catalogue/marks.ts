import { IsyncError } from '../../model/isync-error.ts';
import { encodeMark } from '../manifest/manifest-codec.ts';
import type { Manifest, Mark } from '../manifest/manifest.ts';
import { MARK_ENDING } from '../names/backup-name.ts';
import type { BackupTarget } from '../target/target.ts';
import { attempting, type AttemptOptions } from '../upload/attempts.ts';

/** Longest reason in characters. */
const MAX_REASON = 4096;

/**
 * Keeps a backup for ever, whatever the rule says; a mark that it has is replaced. Durable when it resolves.
 * @throws IsyncError USAGE where the reason is empty or too long
 */
export async function setMark(
  target: BackupTarget,
  { name, version }: Pick<Manifest, 'name' | 'version'>,
  { reason, markedMs, by }: Pick<Mark, 'reason' | 'markedMs' | 'by'>,
  options: AttemptOptions,
): Promise<void> {
  if (reason === '' || reason.length > MAX_REASON)
    throw new IsyncError('USAGE', `a mark needs a reason of 1 to ${MAX_REASON} characters`);
  const key = `${name}${MARK_ENDING}`;
  const bytes = encodeMark({ name, version, reason, markedMs, by });
  const { signal } = options;
  await attempting(`put ${key}`, async () => await target.put(key, bytes, { signal }), options);
}

/** Leaves a backup to the rule. `locked`: the store holds the mark for a while yet. */
export async function removeMark(
  target: BackupTarget,
  name: string,
  options: AttemptOptions,
): Promise<'removed' | 'locked' | 'absent'> {
  const key = `${name}${MARK_ENDING}`;
  const { signal } = options;
  return await attempting(`remove ${key}`, async () => await target.remove(key, { signal }), options);
}
