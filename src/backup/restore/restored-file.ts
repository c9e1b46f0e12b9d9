import { createHash } from 'node:crypto';
import { closeSync, constants, fdatasync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import type { RegularRecord } from '../list/file-record.ts';
import type { OpenFolder } from './open-folder.ts';
import { stamp } from './stamp.ts';

/** Made here and now: neither another name of something, nor through a symlink. */
const NEW_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Bytes of zeros that become a hole: a block of most file systems. */
const HOLE_BYTES = 4096;
const ZEROS = Buffer.alloc(HOLE_BYTES);

const sync = promisify(fdatasync);

/** A file on its way to the disk, for its owner alone until it is whole. Every call throws Node's errors. */
export class RestoredFile {
  readonly #folder: OpenFolder;
  readonly #name: Buffer;
  readonly #record: RegularRecord;
  readonly #fd: number;
  readonly #hash = createHash('sha256');
  #size = 0;

  constructor(folder: OpenFolder, name: Buffer, record: RegularRecord) {
    this.#folder = folder;
    this.#name = name;
    this.#record = record;
    this.#fd = openSync(folder.at(name), NEW_FILE, 0o600);
  }

  get size(): number {
    return this.#size;
  }

  /** Appends. What is zeros takes no room on the disk. */
  write(piece: Uint8Array): void {
    this.#hash.update(piece);
    for (let at = 0; at < piece.length;) {
      const zeros = this.#zerosAt(piece, at);
      const end = zeros > 0 ? at + zeros : this.#dataEnd(piece, at);
      if (zeros === 0)
        for (let from = at; from < end;)
          from += writeSync(this.#fd, piece, from, end - from, this.#size + from - at);
      this.#size += end - at;
      at = end;
    }
  }

  /** Checks it and makes it what the record says, durably. False where its content is not; then it is still open. */
  async end(): Promise<boolean> {
    if (this.#hash.digest('hex') !== this.#record.sha256) return false;
    ftruncateSync(this.#fd, this.#size);
    stamp(this.#fd, this.#record);
    if (this.#size > 0) await sync(this.#fd);
    closeSync(this.#fd);
    return true;
  }

  /** Removes what has been written. */
  discard(): void {
    closeSync(this.#fd);
    unlinkSync(this.#folder.at(this.#name));
  }

  /** Bytes from `at` that are left out: whole blocks of the file. */
  #zerosAt(piece: Uint8Array, at: number): number {
    let end = at;
    while (
      (this.#size + end - at) % HOLE_BYTES === 0 &&
      end + HOLE_BYTES <= piece.length &&
      ZEROS.equals(piece.subarray(end, end + HOLE_BYTES))
    )
      end += HOLE_BYTES;
    return end - at;
  }

  /** Where the next such block begins, or the piece ends. */
  #dataEnd(piece: Uint8Array, at: number): number {
    let end = at + HOLE_BYTES - (this.#size % HOLE_BYTES);
    while (
      end + HOLE_BYTES <= piece.length &&
      // Mostly the first byte tells.
      (piece[end] !== 0 || !ZEROS.equals(piece.subarray(end, end + HOLE_BYTES)))
    )
      end += HOLE_BYTES;
    return end + HOLE_BYTES <= piece.length ? end : piece.length;
  }
}
