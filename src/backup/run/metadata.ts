import type { PackRecord } from '../state/job-state.ts';

/** Of S3, in bytes, less than the 2 KB that it allows. */
const MOST_BYTES = 1500;

/** What stands at an archive itself, for whoever finds it alone: tags that a header can carry, and which run it is of. */
export function metadataOf(
  { run, version }: Pick<PackRecord, 'run' | 'version'>,
  tags: Readonly<Record<string, string>>,
): Record<string, string> {
  const metadata: Record<string, string> = { 'isync-run': run, 'isync-version': String(version) };
  let bytes = 0;
  for (const [name, value] of Object.entries(tags)) {
    if (!/^[\w-]+$/.test(name) || !/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value)) continue;
    bytes += name.length + value.length;
    if (bytes > MOST_BYTES) break;
    metadata[name.toLowerCase()] = value;
  }
  return metadata;
}
