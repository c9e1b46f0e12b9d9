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
  /** Bytes of which it is known whether they are a hole. */
  #size = 0;
  /** The block that has begun behind them. */
  readonly #block = Buffer.allocUnsafe(HOLE_BYTES);
  #pending = 0;

  constructor(folder: OpenFolder, name: Buffer, record: RegularRecord) {
    this.#folder = folder;
    this.#name = name;
    this.#record = record;
    this.#fd = openSync(folder.at(name), NEW_FILE, 0o600);
  }

  /** Appends. What is zeros takes no room on the disk. */
  write(piece: Uint8Array): void {
    this.#hash.update(piece);
    let at = 0;
    if (this.#pending > 0) at = this.#keep(piece);
    for (const whole = piece.length - ((piece.length - at) % HOLE_BYTES); at < whole;) {
      const isHole = isZeros(piece, at);
      let end = at + HOLE_BYTES;
      while (end < whole && isZeros(piece, end) === isHole) end += HOLE_BYTES;
      this.#put(piece.subarray(at, end), isHole);
      at = end;
    }
    if (at < piece.length) this.#keep(piece.subarray(at));
  }

  /** Checks it, and makes it what the record says. False where its content is not. It is still open either way. */
  end(): boolean {
    if (this.#hash.digest('hex') !== this.#record.sha256) return false;
    this.#flush();
    ftruncateSync(this.#fd, this.#size);
    stamp(this.#fd, this.#record);
    return true;
  }

  /** Brings it to the disk, and closes it. */
  async settle(): Promise<void> {
    if (this.#size > 0) await sync(this.#fd);
    closeSync(this.#fd);
  }

  /** Removes what has been written. */
  discard(): void {
    closeSync(this.#fd);
    unlinkSync(this.#folder.at(this.#name));
  }

  /** Fills up the block that has begun, from the beginning of the piece. Returns how many bytes it took. */
  #keep(piece: Uint8Array): number {
    const part = piece.subarray(0, HOLE_BYTES - this.#pending);
    this.#block.set(part, this.#pending);
    this.#pending += part.length;
    if (this.#pending === HOLE_BYTES) this.#flush();
    return part.length;
  }

  #flush(): void {
    const block = this.#block.subarray(0, this.#pending);
    this.#pending = 0;
    this.#put(block, block.length === HOLE_BYTES && isZeros(block, 0));
  }

  #put(bytes: Uint8Array, isHole: boolean): void {
    if (!isHole)
      for (let at = 0; at < bytes.length;)
        at += writeSync(this.#fd, bytes, at, bytes.length - at, this.#size + at);
    this.#size += bytes.length;
  }
}

function isZeros(piece: Uint8Array, at: number): boolean {
  // Mostly the first byte tells.
  return piece[at] === 0 && ZEROS.equals(piece.subarray(at, at + HOLE_BYTES));
}
