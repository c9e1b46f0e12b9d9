import { IsyncError } from '../../model/isync-error.ts';
import { decodeManifest, decodeMark, MAX_MANIFEST_BYTES } from '../manifest/manifest-codec.ts';
import type { Manifest, Mark } from '../manifest/manifest.ts';
import { JOB_KEY, MANIFEST_ENDING, MARK_ENDING } from '../names/backup-name.ts';
import type { TargetRecords } from '../state/job-state.ts';
import type { BackupTarget, TargetObject } from '../target/target.ts';
import { attempting, type AttemptOptions } from '../upload/attempts.ts';

/** Manifests that are read at a time: small objects, of which a new machine reads all. */
const READS_AT_ONCE = 8;

/** What a target has of a job, as its last listing and its manifests say. */
export interface Catalogue {
  /** The newest first: by version. */
  readonly backups: readonly KnownBackup[];
  /** Manifests and marks that can't be read. What they were of is unknown: nothing that might be theirs is to be removed. */
  readonly unreadable: readonly Unreadable[];
  /** Every object of the job's folder, by key. */
  readonly objects: ReadonlyMap<string, TargetObject>;
}

export interface KnownBackup {
  readonly manifest: Manifest;
  readonly manifestKey: string;
  /** Undefined where it has none. A mark that can't be read counts as one, and says so. */
  readonly mark: (Pick<Mark, 'reason'> & Partial<Mark>) | undefined;
}

export interface Unreadable {
  readonly key: string;
  readonly error: IsyncError;
}

export interface CatalogueOptions extends AttemptOptions {
  /** Where manifests are kept that have been read, so that each is fetched once. */
  readonly cache?: Pick<TargetRecords, 'cached' | 'cache' | 'keepCached'> | undefined;
}

/** Reads what a target has. Rejects where it can't be listed, or an object can't be fetched. */
export async function readCatalogue(target: BackupTarget, options: CatalogueOptions): Promise<Catalogue> {
  const { cache } = options;
  const objects = await attempting('list', async () => await listing(target, options), options);
  const keys = [...objects.keys()].filter(
    (key) => key.endsWith(MANIFEST_ENDING) || key.endsWith(MARK_ENDING),
  );
  const unreadable: Unreadable[] = [];
  const manifests: Manifest[] = [];
  const marks = new Map<string, Mark | undefined>();

  const waiting = keys.toSorted();
  const work = async (): Promise<void> => {
    for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
      const object = objects.get(key);
      if (object === undefined) continue;
      const isMark = key.endsWith(MARK_ENDING);
      if (isMark) marks.set(nameOf(key, MARK_ENDING), undefined);
      try {
        const bytes = await contentOf(target, object, options);
        // Removed since it was listed.
        if (bytes === undefined) {
          objects.delete(key);
          if (isMark) marks.delete(nameOf(key, MARK_ENDING));
        } else if (isMark) marks.set(nameOf(key, MARK_ENDING), decodeMark(bytes, key));
        else manifests.push(checked(decodeManifest(bytes, key), key));
      } catch (error) {
        if (!isOfContent(error)) throw error;
        unreadable.push({ key, error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, keys.length) }, work));
  cache?.keepCached(target.name, new Set([...keys, JOB_KEY]));

  const twice = versionsTwice(manifests);
  const backups: KnownBackup[] = [];
  for (const manifest of manifests.toSorted((a, b) => b.version - a.version)) {
    const manifestKey = `${manifest.name}${MANIFEST_ENDING}`;
    if (twice.has(manifest.version)) {
      const error = damaged(manifestKey, `two manifests say that they are version ${manifest.version}`);
      unreadable.push({ key: manifestKey, error });
    } else backups.push({ manifest, manifestKey, mark: markOf(marks, manifest) });
  }
  return { backups, unreadable: unreadable.toSorted((a, b) => (a.key < b.key ? -1 : 1)), objects };
}

async function listing(
  target: BackupTarget,
  { signal }: CatalogueOptions,
): Promise<Map<string, TargetObject>> {
  const objects = new Map<string, TargetObject>();
  for await (const object of target.list({ signal })) objects.set(object.key, object);
  return objects;
}

/** Undefined where it is gone. */
async function contentOf(
  target: BackupTarget,
  { key, etag, size }: TargetObject,
  options: CatalogueOptions,
): Promise<Uint8Array | undefined> {
  const cached = options.cache?.cached(target.name, key, etag);
  if (cached !== undefined) return cached;
  if (size > MAX_MANIFEST_BYTES) throw damaged(key, `it has ${size} bytes`);
  const { signal } = options;
  const bytes = await attempting(
    `read ${key}`,
    async () => {
      const ranges = await target.read(key, { signal });
      if (ranges === undefined) return undefined;
      if (ranges.size > MAX_MANIFEST_BYTES) throw damaged(key, `it has ${ranges.size} bytes`);
      const pieces: Uint8Array[] = [];
      for await (const piece of ranges.read(0, ranges.size, { signal })) pieces.push(Uint8Array.from(piece));
      return Buffer.concat(pieces);
    },
    options,
  );
  // What was put in its place meanwhile has another etag, which nobody has listed yet.
  if (bytes !== undefined && bytes.length === size) options.cache?.cache(target.name, key, etag, bytes);
  return bytes;
}

/** A manifest must stand where its name says, or a copy of it would be a second backup that is not there. */
function checked(manifest: Manifest, key: string): Manifest {
  if (key === `${manifest.name}${MANIFEST_ENDING}`) return manifest;
  throw damaged(key, `it is the manifest of ${manifest.name}`);
}

function markOf(marks: ReadonlyMap<string, Mark | undefined>, { name }: Manifest): KnownBackup['mark'] {
  if (!marks.has(name)) return undefined;
  return marks.get(name) ?? { reason: "its mark can't be read" };
}

function versionsTwice(manifests: readonly Manifest[]): Set<number> {
  const seen = new Set<number>();
  return new Set(
    manifests
      .map(({ version }) => version)
      .filter((version) => seen.has(version) || (seen.add(version), false)),
  );
}

function nameOf(key: string, ending: string): string {
  return key.slice(0, -ending.length);
}

/** Whether it is this one object that can't be understood. */
function isOfContent(error: unknown): error is IsyncError {
  return (
    error instanceof IsyncError &&
    ['BACKUP_DAMAGED', 'VERSION_UNSUPPORTED', 'FILE_CHANGED', 'MISSING'].includes(error.code)
  );
}

function damaged(key: string, why: string): IsyncError {
  return new IsyncError('BACKUP_DAMAGED', `a manifest or mark can't be used: ${why}`, { path: key });
}
