import { BufferPool } from '../flow/buffer-pool.ts';
import { Limiter } from '../flow/limiter.ts';
import { DIGEST_BYTES, type DigestAlgorithm, digestOf } from '../model/digest.ts';
import { IsyncError, toIsyncError } from '../model/isync-error.ts';
import type { Log } from '../model/log.ts';
import type { RelPath } from '../model/rel-path.ts';
import { encode } from '../protocol/codec.ts';
import { contentToFill, type ContentToFill, isFailure } from '../protocol/content-codec.ts';
import { MAX_READ_BYTES, MAX_VERSION_BYTES } from '../protocol/limits.ts';
import type { Failure, FilePart, FileRange, KeptDigest, Read } from '../protocol/messages.ts';
import type { DeviceFolder } from '../store/device-folder.ts';
import { isOfDisk, refusedObject } from '../store/refused-object.ts';
import type { FileDigest, Store } from '../store/store.ts';
import { replaced } from '../store/store-errors.ts';

/** Files of a session that are read at a time: enough to hide the latency of a bucket, few enough to leave threads to others. */
const MAX_FILES = 16;
/** A range of fewer bytes is copied into its answer. */
const LARGE_BYTES = 512 * 1024;
/** Bytes of an answer with one full range: what it has beside the content is far less than 4 KiB. */
const ANSWER_BYTES = MAX_READ_BYTES + 4096;
const NOTHING = Buffer.alloc(0);

/** Memory of answers with one large range, of all sessions; 4 MiB are kept for later ones. */
export const ANSWERS = new BufferPool(ANSWER_BYTES, 4);

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

  /**
   * The answer, encoded at once: while it waits it is held once. What is wrong with one file is the answer for that file. Never rejects;
   * once the session is over, nothing more is read. Its memory may be given back to `ANSWERS` once it has left.
   */
  async answer({ request, ranges }: Read): Promise<Buffer> {
    const [range] = ranges;
    const room = range && ranges.length === 1 && range.length >= LARGE_BYTES ? new Room(request) : undefined;
    using pieces = ranges.length > 1 ? new Pieces(ranges) : undefined;
    const memory = room ?? pieces;
    const parts = await Promise.all(ranges.map((each) => this.#files.run(() => this.#part(each, memory))));
    return room?.filledBy(parts[0]) ?? encode({ type: 'content', request, parts });
  }

  async #part(range: FileRange, answer: AnswerMemory | undefined): Promise<FilePart | Failure | undefined> {
    const { folder, signal } = this.#options;
    const place = folder.find(range.path);
    if (place === undefined || signal.aborted) return undefined;
    try {
      return await this.#bytesOf(place, range, answer);
    } catch (error) {
      return signal.aborted ? undefined : this.#failureOf(error, place);
    }
  }

  async #bytesOf(
    place: RelPath,
    { start, length }: FileRange,
    answer: AnswerMemory | undefined,
  ): Promise<FilePart | undefined> {
    const { store, algorithm, signal } = this.#options;
    let about: PartHead | undefined;
    const memory = (bytes: number): Buffer =>
      (about && answer?.take(bytes, about, algorithm)) ?? Buffer.allocUnsafeSlow(bytes);
    const found = await store.read(place, { start, length, signal, memory });
    if (found === undefined) return undefined;
    const { size, mtimeUs } = found.entry;
    about = { size, mtimeUs, version: versionOnWire(found.version), kept: keptOnWire(found.digest) };
    const wanted = Math.max(0, Math.min(length, size - start));
    const content = wanted === 0 ? NOTHING : (found.content ?? (await joined(found.bytes, wanted, place)));
    return { ...about, digest: digestOf(algorithm, content), content };
  }

  #failureOf(error: unknown, path: RelPath): Failure {
    // A store rejects with IsyncError only; anything else is a bug, so log it.
    if (!(error instanceof IsyncError)) this.#options.log.error('fault in the store', { err: error });
    const reason = refusedObject(error, path) ?? toIsyncError(error, 'INTERNAL', { retryable: true });
    const { retryable, code, message } = isOfDisk(reason) ? unreadable(reason, path) : reason;
    return { retryable, code, message };
  }
}

/** What a part tells before its bytes. */
type PartHead = Omit<FilePart, 'digest' | 'content'>;

/** Where the ranges of one answer are read into. */
interface AnswerMemory {
  /** Memory of that many bytes for a piece of a part; undefined where there is none for it. */
  take(bytes: number, about: PartHead, algorithm: DigestAlgorithm): Buffer | undefined;
}

/** Has several ranges read into one piece of memory, which is used again once they have been copied into their answer. */
class Pieces implements AnswerMemory, Disposable {
  readonly #memory: Buffer;
  #used = 0;

  constructor(ranges: readonly FileRange[]) {
    const bytes = ranges.reduce((sum, { length }) => sum + length, 0);
    this.#memory = bytes < LARGE_BYTES ? Buffer.allocUnsafeSlow(bytes) : ANSWERS.take(bytes);
  }

  take(bytes: number): Buffer | undefined {
    const start = this.#used;
    if (start + bytes > this.#memory.length) return undefined;
    this.#used += bytes;
    return this.#memory.subarray(start, this.#used);
  }

  [Symbol.dispose](): void {
    ANSWERS.giveBack(this.#memory);
  }
}

/** Has the one range of an answer read right into the answer. */
class Room implements AnswerMemory {
  readonly #request: number;
  #message: ContentToFill | undefined;

  constructor(request: number) {
    this.#request = request;
  }

  /** None for a second piece, nor for a small one. */
  take(length: number, about: PartHead, algorithm: DigestAlgorithm): Buffer | undefined {
    if (this.#message !== undefined || length < LARGE_BYTES) return undefined;
    const part = { ...about, digest: Buffer.alloc(DIGEST_BYTES[algorithm]), content: NOTHING };
    const message = encode({ type: 'content', request: this.#request, parts: [part] });
    this.#message = contentToFill(message, length, (bytes) => ANSWERS.take(bytes));
    return this.#message.content;
  }

  /** The answer, where `part` lies in it as it was read; else undefined. */
  filledBy(part: FilePart | Failure | undefined): Buffer | undefined {
    const message = this.#message;
    if (message === undefined || part === undefined || isFailure(part)) return undefined;
    const { content } = part;
    const isIn = content.buffer === message.content.buffer && content.length === message.content.length;
    if (!isIn || content.byteOffset !== message.content.byteOffset) return undefined;
    message.finish(part.digest);
    return message.bytes;
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
