import { createHash } from 'node:crypto';
import { MANIFEST_ENDING } from '../names/backup-name.ts';
import { attempting } from '../upload/attempts.ts';
import type { DraftedManifest } from './draft-manifest.ts';
import type { RunContext } from './run-context.ts';
import type { Surveyed } from './survey.ts';

const DAY_MS = 86_400_000;

/**
 * Makes a backup of an archive that a target has: the list beside it, locks on all that it needs, and the manifest last. May be repeated.
 * Returns whether it was none before.
 */
export async function publish(
  { state, keeper, log, signal, now }: RunContext,
  { target, catalogue }: Surveyed,
  { manifest, bytes, storedList }: DraftedManifest,
): Promise<boolean> {
  const key = `${manifest.name}${MANIFEST_ENDING}`;
  if (catalogue.backups.some((backup) => backup.manifest.version === manifest.version)) return false;
  const attempts = {
    log: log.with({ target: target.name }),
    signal,
    onRetry: () => keeper.retried(),
  };
  await attempting(
    'put the list',
    async () => await target.put(manifest.list.key, storedList, { signal }),
    attempts,
  );
  const { lock } = target.capabilities;
  if (lock !== undefined) {
    const untilMs = now() + lock.days * DAY_MS;
    // Servers drop it from multipart uploads. And what was locked for an older backup must outlast this one.
    for (const needed of manifest.needs)
      await attempting(
        `lock ${needed.key}`,
        async () => await target.lock(needed.key, lock.mode, untilMs, { signal }),
        attempts,
      );
  }
  await attempting('put the manifest', async () => await target.put(key, bytes, { signal }), attempts);
  // Most stores name an object of one piece by its MD5: then the next run need not fetch it.
  state.targets.cache(target.name, key, createHash('md5').update(bytes).digest('hex'), bytes);
  return true;
}
