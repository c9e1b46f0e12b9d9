import type { Catalogue, KnownBackup } from '../catalogue/catalogue.ts';
import { MANIFEST_FORMAT, type Manifest, NO_COUNTS } from '../manifest/manifest.ts';
import { LIST_ENDING, MANIFEST_ENDING } from '../names/backup-name.ts';
import type { TargetObject } from '../target/target.ts';
import type { PlannedBackup } from './plan-backups.ts';
import type { Surveyed } from './survey.ts';

/** What a target would have after a run: with the planned backup, which needs all that its base does. Its version tells it apart. */
export function withPlanned(
  { catalogue, highest }: Surveyed,
  planned: PlannedBackup | undefined,
  nowMs: number,
): { readonly catalogue: Catalogue; readonly version: number | undefined } {
  if (planned === undefined) return { catalogue, version: undefined };
  const version = highest + 1;
  const name = `planned-${version}`;
  const own = { key: name, size: 0, sha256: '' };
  const list = { key: `${name}${LIST_ENDING}`, size: 0, sha256: '', records: 0 };
  const manifest: Manifest = {
    format: MANIFEST_FORMAT,
    madeBy: '',
    job: '',
    jobId: '',
    run: '',
    name,
    version,
    type: planned.type,
    startedMs: nowMs,
    finishedMs: nowMs,
    timezone: 'UTC',
    compress: 'none',
    isEncrypted: false,
    archive: own,
    list,
    needs: [...(planned.base?.needs ?? []), { ...own, version }],
    base: planned.base?.version,
    counts: NO_COUNTS,
    problems: [],
    isShrunk: false,
    tags: {},
  };
  const manifestKey = `${name}${MANIFEST_ENDING}`;
  const backup: KnownBackup = { manifest, manifestKey, mark: undefined };
  const made = [own.key, list.key, manifestKey].map((key): [string, TargetObject] => [
    key,
    { key, size: 0, modifiedMs: nowMs, etag: '' },
  ]);
  return {
    catalogue: {
      ...catalogue,
      backups: [backup, ...catalogue.backups],
      objects: new Map([...catalogue.objects, ...made]),
    },
    version,
  };
}
