import type { Manifest } from '../manifest/manifest.ts';
import type { ByteRanges } from '../pack/byte-ranges.ts';
import type { Compression } from '../job.ts';
import { damagedObject } from './damage.ts';
import { opened, openStored, type ReadContext } from './read-context.ts';

/** An archive without its encryption. */
export interface OpenArchive {
  readonly ranges: ByteRanges;
  readonly compress: Compression;
}

/** What an object of age begins with: https://age-encryption.org/v1, "Header". */
const AGE_MAGIC = Buffer.from('age-encryption.org/v1\n');
/** RFC 8878, 3.1.1; RFC 1952, 2.3.1. No tar of ours begins so: a name that is not UTF-8 stands in it escaped. */
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

/**
 * The archives that a backup needs, each opened when it is first asked for. How one is compressed and whether it is encrypted it says
 * itself: that was decided when it was made, and its own manifest may be gone.
 */
export class Archives {
  readonly #context: ReadContext;
  readonly #manifest: Manifest;
  readonly #opened = new Map<number, Promise<OpenArchive>>();

  constructor(context: ReadContext, manifest: Manifest) {
    this.#context = context;
    this.#manifest = manifest;
  }

  /** @throws IsyncError BACKUP_DAMAGED where it is missing, not named by the manifest, or of another size; KEY_MISSING */
  async open(version: number): Promise<OpenArchive> {
    const known = this.#opened.get(version);
    if (known !== undefined) return await known;
    const opening = this.#open(version);
    this.#opened.set(version, opening);
    return await opening;
  }

  async #open(version: number): Promise<OpenArchive> {
    const needed = this.#manifest.needs.find((each) => each.version === version);
    if (needed === undefined)
      throw damagedObject(
        this.#manifest.list.key,
        `it names an archive ${version} that its manifest does not`,
      );
    const stored = await openStored(this.#context, needed);
    const isEncrypted = (await beginOf(stored, AGE_MAGIC.length)).equals(AGE_MAGIC);
    const ranges = await opened(this.#context, stored, isEncrypted);
    return { ranges, compress: await compressionOf(ranges) };
  }
}

async function compressionOf(ranges: ByteRanges): Promise<Compression> {
  const begin = await beginOf(ranges, ZSTD_MAGIC.length);
  if (begin.equals(ZSTD_MAGIC)) return 'zstd';
  return begin.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC) ? 'gzip' : 'none';
}

async function beginOf(ranges: ByteRanges, length: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  // A piece may be valid only until the next one is asked for.
  for await (const piece of ranges.read(0, Math.min(length, ranges.size)))
    pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}
