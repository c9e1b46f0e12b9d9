import type { Manifest, StoredObject } from '../manifest/manifest.ts';
import type { Catalogue } from './catalogue.ts';

/** What a listing and the manifests tell to be wrong with a backup, without reading it; undefined: nothing. */
export function chainFault(
  { backups, objects }: Pick<Catalogue, 'backups' | 'objects'>,
  { list, needs, version, archive }: Manifest,
): string | undefined {
  const own = needs.at(-1);
  if (own === undefined || own.size !== archive.size || own.sha256 !== archive.sha256)
    return 'the manifest tells two things of its archive';
  for (const needed of [list, ...needs]) {
    const fault = objectFault(objects.get(needed.key)?.size, needed);
    if (fault !== undefined) return fault;
  }
  for (const needed of needs) {
    if (needed.version === version) continue;
    const made = backups.find(({ manifest }) => manifest.version === needed.version)?.manifest.archive;
    // The manifest of an older one may be gone; its archive is what counts.
    if (made !== undefined && (made.key !== needed.key || made.sha256 !== needed.sha256))
      return `it needs an archive ${needed.key} that is another one than ${made.key}`;
  }
  return undefined;
}

function objectFault(found: number | undefined, { key, size }: StoredObject): string | undefined {
  if (found === undefined) return `${key} is missing`;
  return found === size ? undefined : `${key} has ${found} bytes where ${size} were stored`;
}
