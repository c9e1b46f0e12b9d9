import { Limiter } from '../flow/limiter.ts';
import { type DigestAlgorithm, digestOf } from '../model/digest.ts';
import { IsyncError, toIsyncError } from '../model/isync-error.ts';
import type { Log } from '../model/log.ts';
import type { RelPath } from '../model/rel-path.ts';
import { MAX_VERSION_BYTES } from '../protocol/limits.ts';
import type { Content, Failure, FilePart, FileRange, KeptDigest } from '../protocol/messages.ts';
import type { DeviceFolder } from '../store/device-folder.ts';
import { isOfDisk, refusedObject } from '../store/refused-object.ts';
import type { FileDigest, Store } from '../store/store.ts';
import { replaced } from '../store/store-errors.ts';

/** Files of a session that are read at a time: enough to hide the latency of a bucket, few enough to leave threads to others. */
const MAX_FILES = 16;

export interface PartReaderOptions {
  readonly store: Store;
  readonly folder: DeviceFolder;
  readonly algorithm: DigestAlgorithm;
  readonly log: Log;
  /** Fires when the session is over. */
  readonly signal: AbortSignal;
}

/** Reads for READ of one session: of each file the bytes that are wanted, all of one version. */
export class PartReader {
  readonly #options: PartReaderOptions;
  readonly #files = new Limiter(MAX_FILES);

  constructor(options: PartReaderOptions) {
    this.#options = options;
  }

  /** What is wrong with one file is the answer for that file. Never rejects; once the session is over, nothing more is read. */
  async read(ranges: readonly FileRange[]): Promise<Content['parts']> {
    return await Promise.all(ranges.map((range) => this.#files.run(() => this.#part(range))));
  }

  async #part(range: FileRange): Promise<FilePart | Failure | undefined> {
    const { folder, signal } = this.#options;
    const place = folder.find(range.path);
    if (place === undefined || signal.aborted) return undefined;
    try {
      return await this.#bytesOf(place, range);
    } catch (error) {
      return signal.aborted ? undefined : this.#failureOf(error, place);
    }
  }

  async #bytesOf(place: RelPath, { start, length }: FileRange): Promise<FilePart | undefined> {
    const { store, algorithm, signal } = this.#options;
    const found = await store.read(place, { start, length, signal });
    if (found === undefined) return undefined;
    const { size, mtimeUs } = found.entry;
    const wanted = Math.max(0, Math.min(length, size - start));
    const content = wanted === 0 ? Buffer.alloc(0) : await joined(found.bytes, wanted, place);
    return {
      size,
      mtimeUs,
      version: versionOnWire(found.version),
      kept: keptOnWire(found.digest),
      digest: digestOf(algorithm, content),
      content,
    };
  }

  #failureOf(error: unknown, path: RelPath): Failure {
    // A store rejects with IsyncError only; anything else is a bug, so log it.
    if (!(error instanceof IsyncError)) this.#options.log.error('fault in the store', { err: error });
    const reason = refusedObject(error, path) ?? toIsyncError(error, 'INTERNAL', { retryable: true });
    const { retryable, code, message } = isOfDisk(reason) ? unreadable(reason, path) : reason;
    return { retryable, code, message };
  }
}

/** The one piece that most stores give, as it is; else a copy of all. @throws IsyncError FILE_CHANGED where there are more or less bytes */
async function joined(bytes: AsyncIterable<Uint8Array>, length: number, place: RelPath): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let count = 0;
  for await (const piece of bytes) {
    count += piece.length;
    if (count > length) throw replaced(place);
    pieces.push(piece);
  }
  if (count < length) throw replaced(place);
  const [first] = pieces;
  if (first === undefined || pieces.length > 1) return Buffer.concat(pieces, length);
  return Buffer.from(first.buffer, first.byteOffset, first.length);
}

/** A longer name is none: no server tells one. */
function versionOnWire(version: string | undefined): string {
  return version === undefined || Buffer.byteLength(version) > MAX_VERSION_BYTES ? '' : version;
}

function keptOnWire(digest: FileDigest | undefined): KeptDigest | undefined {
  return digest && { algorithm: digest.algorithm, value: Buffer.from(digest.value) };
}

/** What keeps us from one file keeps nobody from the others. */
function unreadable(error: IsyncError, path: RelPath): IsyncError {
  return new IsyncError('FILE_UNREADABLE', error.message, { path, cause: error });
}
