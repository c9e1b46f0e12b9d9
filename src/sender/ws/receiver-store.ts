import { BufferPool } from '../../flow/buffer-pool.ts';
import { Scavenger } from '../../flow/scavenger.ts';
import type { Abortable } from '../../model/abortable.ts';
import { digestOf, type DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { firstSegment, joinRelPath, parseRelPath, type RelPath } from '../../model/rel-path.ts';
import { isFailure } from '../../protocol/content-codec.ts';
import { MAX_READ_BYTES } from '../../protocol/limits.ts';
import type { FilePart } from '../../protocol/messages.ts';
import { replaced } from '../../store/store-errors.ts';
import type { ReadableStore, ReadOptions, StoreCapabilities, StoredFile } from '../../store/store.ts';
import { protocolFault, toldError } from './faults.ts';
import { ReadBatches } from './read-batches.ts';
import { createWsTarget, type ReceiverTarget } from './ws-target.ts';
import type { WsTargetOptions } from './ws-target-options.ts';

/** Ranges of one file asked for at a time: 8 MiB, what 600 Mbit/s hold over 100 ms. Each waits in memory until it is wanted. */
const RANGES_AT_ONCE = 8;
/** Bytes of an answer with one full range: what it has beside the content is far less than 4 KiB. */
const ANSWER_BYTES = MAX_READ_BYTES + 4096;
/** Answers whose memory is kept for later ones, once they are done with: 16 MiB. */
const ANSWERS_KEPT = 16;

/** What all parts of one version have in common. */
type PartVersion = Pick<FilePart, 'size' | 'mtimeUs' | 'version'>;

/**
 * What a receiver keeps of one device, as a store whose only first-level folder is that of the device. Resolves once the receiver has
 * told how it lists, unless `opening` ends that. Links that break are made again inside; see createWsTarget.
 * @throws IsyncError that of the link, once it gave up or was refused
 */
export async function openReceiverStore(
  options: Omit<WsTargetOptions, 'mode' | 'received'>,
  opening: Abortable = {},
): Promise<ReadableStore> {
  const received = new BufferPool(ANSWER_BYTES, ANSWERS_KEPT);
  const target = createWsTarget({ ...options, mode: 'read', received });
  try {
    const { listedMtime } = await target.identify(opening);
    return new ReceiverStore(target, received, { listedMtime });
  } catch (error) {
    await target[Symbol.asyncDispose]();
    throw error;
  }
}

class ReceiverStore implements ReadableStore {
  readonly capabilities: StoreCapabilities;
  readonly #target: ReceiverTarget;
  readonly #device: RelPath;
  readonly #algorithm: DigestAlgorithm;
  readonly #batches: ReadBatches;
  readonly #received: BufferPool;
  readonly #scavenger = new Scavenger();

  constructor(target: ReceiverTarget, received: BufferPool, capabilities: StoreCapabilities) {
    this.capabilities = capabilities;
    this.#target = target;
    this.#received = received;
    this.#device = parseRelPath(target.traits.device);
    this.#algorithm = target.traits.digest;
    this.#batches = new ReadBatches((ranges, options) => target.read(ranges, options));
  }

  async stat(path: RelPath, options: Abortable = {}): Promise<FileEntry | undefined> {
    const inDevice = this.#inDevice(path);
    if (inDevice === undefined || inDevice === '') return undefined;
    const [found] = await this.#target.look([inDevice], options);
    return found && { ...found.entry, path };
  }

  async *list(prefix: RelPath | '', options: Abortable = {}): AsyncGenerator<FileEntry> {
    const inDevice = prefix === '' ? '' : this.#inDevice(prefix);
    if (inDevice === undefined) return;
    for await (const entry of this.#target.list(inDevice, options)) {
      const isAsked = inDevice === '' || entry.path === inDevice || entry.path.startsWith(`${inDevice}/`);
      if (!isAsked) throw protocolFault('a list with names that were not asked for');
      yield { ...entry, path: joinRelPath(this.#device, entry.path) };
    }
  }

  async read(path: RelPath, options: ReadOptions = {}): Promise<StoredFile | undefined> {
    const inDevice = this.#inDevice(path);
    if (inDevice === undefined || inDevice === '') return undefined;
    const { start = 0, length = Infinity, reuse = false, signal } = options;
    const part = await this.#part(inDevice, start, Math.min(length, MAX_READ_BYTES), signal);
    if (part === undefined) return undefined;
    const { size, mtimeUs, version, kept: digest } = part;
    const end = Math.min(size, start + length);
    const isAll = start + part.content.length >= end;
    const bytes = !isAll
      ? this.#allFrom(inDevice, { next: start + part.content.length, end }, versionOf(part), {
          // The only thing that holds it, so that a reader of much more does not hold it to the end.
          coming: [Promise.resolve(part)],
          signal,
          reuse,
        })
      : once(part.content);
    const entry = { path, size, mtimeUs };
    const content = isAll && part.content.length > 0 ? part.content : undefined;
    return { entry, version: version === '' ? undefined : version, digest, bytes, content };
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#target[Symbol.asyncDispose]();
  }

  /** '' for the folder of the device; undefined where the path does not lie in it. */
  #inDevice(path: RelPath): RelPath | '' | undefined {
    if (firstSegment(path) !== this.#device) return undefined;
    return path === this.#device ? '' : parseRelPath(path.slice(this.#device.length + 1));
  }

  async #part(
    path: RelPath,
    start: number,
    length: number,
    signal: AbortSignal | undefined,
  ): Promise<FilePart | undefined> {
    const part = await this.#batches.read({ path, start, length }, signal);
    if (part === undefined) return undefined;
    if (isFailure(part)) throw toldError(part, path);
    if (!digestOf(this.#algorithm, part.content).equals(part.digest))
      throw new IsyncError('DIGEST_MISMATCH', 'the bytes were damaged on their way', { path });
    return part;
  }

  /** What is `coming` already, then all up to `end`, some ranges asked for ahead of the one that is wanted next. */
  async *#allFrom(
    path: RelPath,
    { next, end }: { next: number; readonly end: number },
    version: PartVersion,
    {
      coming,
      signal,
      reuse,
    }: {
      readonly coming: Promise<FilePart | undefined>[];
      readonly signal: AbortSignal | undefined;
      readonly reuse: boolean;
    },
  ): AsyncGenerator<Uint8Array> {
    const left = new AbortController();
    const either = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
    const askAhead = (): void => {
      while (coming.length < RANGES_AT_ONCE && next < end) {
        const length = Math.min(MAX_READ_BYTES, end - next);
        const part = this.#part(path, next, length, either);
        // It is told once it is wanted, or nobody wants it any more.
        part.catch(() => undefined);
        coming.push(part);
        next += length;
      }
    };
    try {
      for (let part = coming.shift(); part !== undefined; part = coming.shift()) {
        askAhead();
        const found = await part;
        if (found === undefined || !isOfVersion(found, version)) throw replaced(path);
        yield found.content;
        // Only a full range has an answer for itself: others may hold parts that are still in use.
        const isAlone = found.content.length === MAX_READ_BYTES;
        if (!reuse || !isAlone || !this.#received.giveBack(found.content))
          this.#scavenger.freed(found.content.length);
      }
    } finally {
      left.abort();
    }
  }
}

function versionOf({ size, mtimeUs, version }: FilePart): PartVersion {
  return { size, mtimeUs, version };
}

function isOfVersion(part: FilePart, { size, mtimeUs, version }: PartVersion): boolean {
  return part.size === size && part.mtimeUs === mtimeUs && part.version === version;
}

async function* once(content: Buffer): AsyncGenerator<Uint8Array> {
  if (content.length > 0) yield content;
}
