import type { Abortable } from '../../model/abortable.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { RegularRecord } from '../list/file-record.ts';
import type { ByteRanges } from '../pack/byte-ranges.ts';
import { FRAME_BYTES } from '../pack/frames.ts';
import { unpack } from '../pack/read-stored.ts';
import type { OpenArchive } from './archives.ts';

/** Takes content: of one file after the other, of each all its bytes in order. A piece is valid until the call resolves. */
export type TakePiece<File> = (file: File, piece: Uint8Array) => Promise<void>;

export interface PlacedFile {
  readonly record: RegularRecord;
}

/**
 * Reads files of one archive that lie one behind the other, with one request for all of them. Each frame is unpacked once, for all files
 * that have bytes in it. Digests are the caller's to check.
 * @param files none of them empty, by `from`, then by `skip`
 * @throws IsyncError BACKUP_DAMAGED where they do not lie so, or a place has fewer bytes; those before have been taken whole
 */
export async function readMany<File extends PlacedFile>(
  { ranges, compress }: OpenArchive,
  files: readonly File[],
  take: TakePiece<File>,
  options: Abortable = {},
): Promise<void> {
  const bounds = [...new Set(files.flatMap(({ record: { stored } }) => [stored.from, stored.to]))].toSorted(
    (a, b) => a - b,
  );
  const [first, last] = [bounds[0], bounds.at(-1)];
  if (first === undefined || last === undefined) return;
  if (last > ranges.size) throw wrong('an archive ends before a file of its list');
  const source = new Source(ranges, first, last, options);
  const waiting = [...files];
  let open: { readonly file: File; left: number } | undefined;
  try {
    for (const [index, from] of bounds.entries()) {
      const to = bounds[index + 1];
      if (to === undefined) break;
      const starting = takeWhile(waiting, ({ record }) => record.stored.from === from);
      if (open === undefined && starting.length === 0) {
        await source.skipTo(to);
        continue;
      }
      let offset = 0;
      const mayUnpackTo = limitOf(open?.left ?? 0, starting);
      for await (const piece of unpack(compress, source.upTo(to))) {
        let at = 0;
        for (;;) {
          open ??= nextOf(starting);
          if (open === undefined) break;
          const { file } = open;
          if (open.left === file.record.size) {
            const begin: number = file.record.stored.from === from ? file.record.stored.skip - offset : 0;
            if (begin < at) throw wrong('files of a list overlap');
            if (begin >= piece.length) break;
            at = begin;
          }
          const part = piece.subarray(at, at + open.left);
          if (part.length === 0) break;
          await take(file, part);
          at += part.length;
          open.left -= part.length;
          if (open.left > 0) break;
          open = undefined;
        }
        offset += piece.length;
        if (offset > mayUnpackTo) throw wrong('a part of an archive has more bytes than a file of its list');
      }
      const isCut = open !== undefined && open.file.record.stored.to <= to;
      if (isCut || starting.length > 0) throw wrong('an archive has fewer bytes than a file of its list');
    }
  } finally {
    await source.close();
  }
}

/** How many bytes a segment may unpack to, so that one which never ends is noticed: whole frames around the last byte of a file. */
function limitOf(left: number, starting: readonly PlacedFile[]): number {
  const end = Math.max(left, ...starting.map(({ record: { stored, size } }) => stored.skip + size));
  return Math.ceil(end / FRAME_BYTES) * FRAME_BYTES;
}

function nextOf<File extends PlacedFile>(
  starting: File[],
): { readonly file: File; left: number } | undefined {
  const file = starting.shift();
  return file && { file, left: file.record.size };
}

function takeWhile<T>(list: T[], is: (each: T) => boolean): T[] {
  const end = list.findIndex((each) => !is(each));
  return list.splice(0, end < 0 ? list.length : end);
}

/** One range of an archive, taken in segments. */
class Source {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #at: number;
  #rest: Uint8Array = new Uint8Array();

  constructor(ranges: ByteRanges, from: number, to: number, options: Abortable) {
    this.#pieces = ranges.read(from, to, options)[Symbol.asyncIterator]();
    this.#at = from;
  }

  /** The bytes from where it is to before `position`. */
  async *upTo(position: number): AsyncGenerator<Uint8Array> {
    while (this.#at < position) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#pieces.next();
        if (done === true) throw wrong('an archive ended early');
        this.#rest = value;
      }
      const piece = this.#rest.subarray(0, position - this.#at);
      this.#rest = this.#rest.subarray(piece.length);
      this.#at += piece.length;
      if (piece.length > 0) yield piece;
    }
  }

  async skipTo(position: number): Promise<void> {
    for await (const piece of this.upTo(position)) void piece;
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}

function wrong(why: string): IsyncError {
  return new IsyncError('BACKUP_DAMAGED', why);
}
