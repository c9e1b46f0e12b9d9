import { createHash, hash, type Hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileRecord, RegularRecord, StoredAt } from '../list/file-record.ts';
import { LeftOut, looking, throwOfMachine } from './left-out.ts';
import { MAX_READS, MemberFile, READ_WHOLE_BYTES, readSettled } from './member-file.ts';
import type { OwnerNames } from './owner-names.ts';
import { commonOf, isSameByTimes, seenAs } from './record-of.ts';
import type { SourceStep } from './sources.ts';
import type { TarPlace, TarWriter } from './tar-writer.ts';
import type { Tally } from './tally.ts';

export type FileStep = Extract<SourceStep, { kind: 'member' | 'output' }>;

export interface FilePackerOptions {
  readonly tar: TarWriter;
  readonly tally: Tally;
  readonly owners: OwnerNames;
  readonly version: number;
  readonly isRehash: boolean;
  readonly signal: AbortSignal;
  /** In ms since the epoch. */
  readonly now: () => number;
}

/** What has been read of a file. */
interface FileRead {
  readonly stats: BigIntStats;
  readonly lookedMs: number;
  /** Hex. */
  readonly sha256: string;
  readonly isTorn: boolean;
}

/** Bytes that stand in a tar for those of a file that can't be read further. */
const ZEROS = Buffer.alloc(64 * 1024);

/** Packs files that have changed, and points to where the others are. */
export class FilePacker {
  readonly #options: FilePackerOptions;
  /** One file is read at a time, and what was read is in the tar before the next is. */
  readonly #room = Buffer.allocUnsafe(READ_WHOLE_BYTES);

  constructor(options: FilePackerOptions) {
    this.#options = options;
  }

  /**
   * Its record, with a provisional place where its content has gone into the tar.
   * @param before of the base
   * @throws LeftOut where it can't be read, and as the tar does
   */
  async pack(step: FileStep, before: FileRecord | undefined): Promise<RegularRecord> {
    const earlier = before?.type === 'file' ? before : undefined;
    const lookedMs = this.#options.now();
    if (earlier !== undefined && this.#isSettled(earlier, step)) {
      const read = { stats: step.stats, lookedMs, sha256: earlier.sha256, isTorn: false };
      return this.#record(step, read, earlier.stored);
    }
    if (step.stats.size <= READ_WHOLE_BYTES) {
      const settled = looking(step.path, () => readSettled(step.at, step.path, this.#room));
      if (settled !== undefined) {
        const { stats, content, isTorn } = settled;
        const sha256 = hash('sha256', content);
        return await this.#small(step, { stats, lookedMs, sha256, isTorn }, content, earlier);
      }
    }
    return (await this.#sameLarge(step, earlier)) ?? (await this.#large(step));
  }

  /** Whether it is not even opened. */
  #isSettled(earlier: RegularRecord, { kind, stats }: FileStep): boolean {
    if (kind === 'output' || this.#options.isRehash) return false;
    return isSameByTimes(earlier, stats) && earlier.seen?.ctimeNs === stats.ctimeNs;
  }

  async #small(
    step: FileStep,
    read: FileRead,
    content: Buffer,
    earlier: RegularRecord | undefined,
  ): Promise<RegularRecord> {
    if (!read.isTorn && mayBeSame(earlier, step, read.stats) && earlier.sha256 === read.sha256)
      return this.#record(step, read, earlier.stored);
    const { tar } = this.#options;
    return this.#record(step, read, await tar.addFile(this.#record(step, read, NOWHERE), [content]));
  }

  /** Of a large file that is what it was, though its times don't say so; else undefined. */
  async #sameLarge(step: FileStep, earlier: RegularRecord | undefined): Promise<RegularRecord | undefined> {
    const lookedMs = this.#options.now();
    using file = looking(step.path, () => new MemberFile(step.at, step.path));
    if (!mayBeSame(earlier, step, file.stats)) return undefined;
    const hash = createHash('sha256');
    const fault: ReadFault = {};
    for await (const _ of this.#pieces(file, hash, fault)) if (fault.error !== undefined) break;
    if (fault.error !== undefined || file.isChanged || hash.digest('hex') !== earlier.sha256)
      return undefined;
    const read = { stats: file.stats, lookedMs, sha256: earlier.sha256, isTorn: false };
    return this.#record(step, read, earlier.stored);
  }

  /** Its header says how long it is before it is read. Where it changes meanwhile, it is packed once more: of a tar the last member counts. */
  async #large(step: FileStep): Promise<RegularRecord> {
    const { tar, now } = this.#options;
    for (let reads = 1; ; reads++) {
      const lookedMs = now();
      using file = looking(step.path, () => new MemberFile(step.at, step.path));
      const hash = createHash('sha256');
      const fault: ReadFault = {};
      const header = { stats: file.stats, lookedMs, sha256: '', isTorn: false };
      const place = await tar.addFile(this.#record(step, header, NOWHERE), this.#pieces(file, hash, fault));
      const isLast = reads === MAX_READS;
      if (fault.error !== undefined) {
        if (!isLast) continue;
        throwOfMachine(fault.error);
        throw new LeftOut(fault.error, step.path);
      }
      const isTorn = file.isChanged;
      if (!isTorn || isLast)
        return this.#record(step, { ...header, sha256: hash.digest('hex'), isTorn }, place);
    }
  }

  /** Just as many bytes as the file had: zeros where it can't be read, and what failed in `fault`. */
  async *#pieces(file: MemberFile, hash: Hash, fault: ReadFault): AsyncGenerator<Buffer> {
    const { signal, tally } = this.#options;
    let done = 0;
    try {
      for await (const piece of file.pieces(this.#room)) {
        signal.throwIfAborted();
        hash.update(piece);
        done += piece.length;
        tally.reading(done);
        yield piece;
      }
    } catch (error) {
      signal.throwIfAborted();
      fault.error = error;
    }
    for (; done < file.size; done += ZEROS.length) yield ZEROS.subarray(0, file.size - done);
  }

  #record(
    step: FileStep,
    { stats, lookedMs, sha256, isTorn }: FileRead,
    at: StoredAt | TarPlace,
  ): RegularRecord {
    const { owners, version } = this.#options;
    const stored = 'archive' in at ? at : { archive: version, from: at.start, to: at.end, skip: 0 };
    const seen = isTorn || step.kind === 'output' ? undefined : seenAs(stats, lookedMs);
    return {
      ...commonOf(step.path, stats, owners),
      type: 'file',
      size: Number(stats.size),
      sha256,
      stored,
      ...(seen && { seen }),
      ...(isTorn && { isTorn }),
    };
  }
}

interface ReadFault {
  error?: unknown;
}

const NOWHERE: TarPlace = { start: 0, end: 0 };

/** Whether the content may be that of the base: one with other times is packed without asking. */
function mayBeSame(
  earlier: RegularRecord | undefined,
  { kind }: FileStep,
  stats: BigIntStats,
): earlier is RegularRecord {
  if (earlier === undefined || BigInt(earlier.size) !== stats.size) return false;
  return kind === 'output' || earlier.seen === undefined || isSameByTimes(earlier, stats);
}
