import { type BigIntStats, closeSync, constants, fstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { IsyncError } from '../../model/isync-error.ts';

/** As the walk saw it: neither through a symlink nor waiting at a pipe that took its place. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Up to this size in bytes a file is read whole before its header is written, so that the two agree. */
export const READ_WHOLE_BYTES = 8 * 1024 * 1024;
/** Bytes of a larger one that are read at a time. */
const PIECE_BYTES = 1024 * 1024;
/** How often a file that changes is read, before it is kept as it is. */
export const MAX_READS = 3;

const readPiece = promisify(read);

/** A file that is open, and what it was when it was opened. Opening and reading throw Node's errors. */
export class MemberFile implements Disposable {
  readonly stats: BigIntStats;
  readonly #fd: number;

  /** @throws IsyncError FILE_CHANGED where something else has taken its place */
  constructor(at: Buffer, path: string) {
    this.#fd = openSync(at, READ_FLAGS);
    try {
      this.stats = fstatSync(this.#fd, { bigint: true });
      if (!this.stats.isFile())
        throw new IsyncError('FILE_CHANGED', 'something else has taken the place of the file', { path });
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** Bytes that it had when it was opened. */
  get size(): number {
    return Number(this.stats.size);
  }

  /** Whether it has been written to since it was opened, or its inode changed otherwise. */
  get isChanged(): boolean {
    const { size, mtimeNs, ctimeNs } = fstatSync(this.#fd, { bigint: true });
    return size !== this.stats.size || mtimeNs !== this.stats.mtimeNs || ctimeNs !== this.stats.ctimeNs;
  }

  /**
   * All of it: `size` bytes, zeros for those that it has lost meanwhile.
   * @param room where it is read to, as long as it at least
   */
  whole(room: Buffer): Buffer {
    const content = room.subarray(0, this.size);
    for (let at = 0; at < content.length;) {
      const count = readSync(this.#fd, content, at, content.length - at, at);
      if (count === 0) content.fill(0, at);
      at += count === 0 ? content.length - at : count;
    }
    return content;
  }

  /** The same in pieces, each in `room`, until the next one is asked for. */
  async *pieces(room: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < this.size;) {
      const piece = room.subarray(0, Math.min(PIECE_BYTES, this.size - at));
      const { bytesRead } = await readPiece(this.#fd, piece, 0, piece.length, at);
      const length = bytesRead === 0 ? piece.length : bytesRead;
      yield bytesRead === 0 ? piece.fill(0) : piece.subarray(0, length);
      at += length;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

export interface SettledContent {
  readonly stats: BigIntStats;
  readonly content: Buffer;
  /** It changed each time: it may be of no single moment. */
  readonly isTorn: boolean;
}

/**
 * A small file as it was at one moment, or, where it changes all the time, as it was read last. Undefined where it has grown beyond
 * READ_WHOLE_BYTES.
 * @param room of READ_WHOLE_BYTES, where the content is read to
 */
export function readSettled(at: Buffer, path: string, room: Buffer): SettledContent | undefined {
  for (let reads = 1; ; reads++) {
    using file = new MemberFile(at, path);
    if (file.size > READ_WHOLE_BYTES) return undefined;
    const content = file.whole(room);
    const { isChanged: isTorn } = file;
    if (!isTorn || reads === MAX_READS) return { stats: file.stats, content, isTorn };
  }
}
