import { createHash } from 'node:crypto';
import type { IsyncError } from '../../model/isync-error.ts';
import type { RegularRecord } from '../list/file-record.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { Archives } from '../read/archives.ts';
import type { ReadContext } from '../read/read-context.ts';
import { type FileReader, readFiles } from '../read/read-files.ts';
import { spoolList } from '../read/spooled-list.ts';
import { isKeyMissing } from './read-whole.ts';

/** Files that are read together. */
const MAX_FILES = 8192;

export interface SampleRequest {
  /** Of the archive without its encryption: what lies before has been read. */
  readonly from: number;
  /** Content to read, and the rest of the frame then; one file at least. */
  readonly bytes: number;
  readonly scratchFolder: string;
}

/**
 * Reads files of the archive of a backup, and checks their digests. Undefined where no key of ours opens it.
 * @returns up to where files have been read, the size of the archive where all have, and their bytes
 * @throws IsyncError BACKUP_DAMAGED
 */
export async function readSample(
  context: ReadContext,
  manifest: Manifest,
  { from, bytes, scratchFolder }: SampleRequest,
): Promise<{ readonly readTo: number; readonly bytes: number } | undefined> {
  const archives = new Archives(context, manifest);
  const check = async (records: readonly RegularRecord[]): Promise<void> =>
    await readFiles(
      archives,
      records.map((record) => new Checking(record)),
      context.signal,
    );
  let taken: RegularRecord[] = [];
  let last = from;
  let read = 0;
  let readTo = manifest.archive.size;
  try {
    await using list = await spoolList(context, manifest, scratchFolder);
    for await (const record of list.records()) {
      if (record.type !== 'file' || record.size === 0) continue;
      const { stored, linkTo } = record;
      if (stored.archive !== manifest.version || stored.from < from || linkTo !== undefined) continue;
      // A frame is read to its end: else it would be begun again and again.
      if (read < bytes || stored.from === last || stored.from === from) {
        last = stored.from;
        taken.push(record);
        read += record.size;
      } else readTo = Math.min(readTo, stored.from);
      if (taken.length < MAX_FILES) continue;
      await check(taken);
      taken = [];
    }
    await check(taken);
  } catch (error) {
    if (isKeyMissing(error)) return undefined;
    throw error;
  }
  return { readTo, bytes: read };
}

class Checking implements FileReader {
  readonly record: RegularRecord;
  #hash = createHash('sha256');

  constructor(record: RegularRecord) {
    this.record = record;
  }

  async begin(): Promise<void> {
    this.#hash = createHash('sha256');
  }

  async take(piece: Uint8Array): Promise<void> {
    this.#hash.update(piece);
  }

  async end(): Promise<boolean> {
    return this.#hash.digest('hex') === this.record.sha256;
  }

  async fail(error: IsyncError): Promise<void> {
    throw error;
  }
}
