/** A place for bodies that are coming: bounded, and empty at the end. */
export interface Spool extends AsyncDisposable {
  /**
   * Room for one body; files of a killed process are removed when the spool is opened.
   * @param size bytes that are expected; where that is unknown, room is taken as the body grows
   * @param maxSize bytes that a body of unknown size may have
   * @returns undefined where there is no room: nothing waits for it
   * @throws IsyncError where the spool is closed
   */
  open(size: number | undefined, maxSize: number): Promise<SpoolFile | undefined>;
  /** What all bodies have room for, in bytes. A larger body never fits. */
  readonly maxBytes: number;
  /** Room that is taken, in bytes. */
  readonly usedBytes: number;
}

/**
 * One body, written once from its beginning and read by many while it grows. It has no name on the disk once it is open. Its room is
 * given back when the writer and every reader have left.
 */
export interface SpoolFile {
  /** Bytes written. */
  readonly size: number;
  /**
   * Resolves when the piece can be read, and the next one may be written. It may be kept as it is: nobody may write into it.
   * @throws IsyncError STORE_FULL where the disk or the spool has no room for it, FILE_TOO_LARGE beyond the expected size
   */
  write(piece: Uint8Array): Promise<void>;
  /** The body is whole. */
  end(): void;
  /** The body will not be whole: readers get `error` behind what has come, and never all bytes of a body of known size. */
  fail(error: Error): void;
  /**
   * Bytes from `start` to before `end` (default: the end of the body), as they come. Any number of readers, each at its own speed.
   * A reader counts from this call on, until it has come to its end, `return` is called or `signal` fires. It is cut where another body
   * needs the room a minute after the writer has left. Pieces are shared by readers: nobody may write into them.
   */
  read(
    range?: { readonly start?: number; readonly end?: number },
    signal?: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /** MD5 of all bytes, hex. Only after {@link end}. */
  readonly md5: string;
  /** The writer needs it no more. A body that has not ended fails. */
  [Symbol.dispose](): void;
}
