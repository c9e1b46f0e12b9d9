import { createHash } from 'node:crypto';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { Manifest } from '../manifest/manifest.ts';
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
  { request, state, keeper, log, signal, now }: RunContext,
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
    const nowMs = now();
    const leastMs = nowMs + lock.days * DAY_MS;
    const untilMs = chainEndMs(manifest, catalogue, request.job.fullEveryMs, nowMs) + lock.days * DAY_MS;
    for (const { key: needed, version } of manifest.needs) {
      // Servers drop the lock from multipart uploads, so the own archive is always asked.
      const isOwn = version === manifest.version;
      if (!isOwn && state.targets.lockNoted(target.name, needed) >= leastMs) continue;
      await attempting(
        `lock ${needed}`,
        async () => await target.lock(needed, lock.mode, untilMs, { signal, isNew: isOwn }),
        attempts,
      );
      state.targets.noteLock(target.name, needed, untilMs, nowMs);
    }
  }
  await attempting('put the manifest', async () => await target.put(key, bytes, { signal }), attempts);
  // Most stores name an object of one piece by its MD5: then the next run need not fetch it.
  state.targets.cache(target.name, key, createHash('md5').update(bytes).digest('hex'), bytes);
  return true;
}

/**
 * When the last backup is to be expected that needs these archives: before the next full one. Each archive is locked for that one from the
 * start, in place of anew by every backup between. Never before now, nor later than a full interval from now, whatever a clock has said.
 */
function chainEndMs(
  manifest: Manifest,
  { backups }: Catalogue,
  fullEveryMs: number | undefined,
  nowMs: number,
): number {
  if (fullEveryMs === undefined) return nowMs;
  const byVersion = new Map(backups.map((backup) => [backup.manifest.version, backup.manifest]));
  let first: Manifest | undefined = manifest;
  while (first?.base !== undefined) {
    const before = byVersion.get(first.base);
    first = before !== undefined && before.version < first.version ? before : undefined;
  }
  const endMs = (first?.startedMs ?? nowMs) + fullEveryMs;
  return Math.min(Math.max(nowMs, endMs), nowMs + fullEveryMs);
}
