import { pack } from 'tar-stream';
import { toIsyncError } from '../../model/isync-error.ts';
import type { FileRecord } from '../list/file-record.ts';
import type { FrameWriter } from './frames.ts';
import { memberHeader } from './member-header.ts';

/** Where content stands in the tar, before compression. */
export interface TarPlace {
  readonly start: number;
  readonly end: number;
}

/** Writes members into frames, one at a time, in the order of its calls. Every call rejects as the frames do. */
export class TarWriter {
  readonly #frames: FrameWriter;
  readonly #tar = pack();
  readonly #pumped: Promise<void>;
  #failure: Error | undefined;
  /** The piece of content that is under way; told where in the tar it has gone. */
  #piece: (PromiseWithResolvers<number> & { readonly bytes: Uint8Array }) | undefined;

  constructor(frames: FrameWriter) {
    this.#frames = frames;
    this.#tar.on('error', untold);
    this.#pumped = this.#pump();
    // Told by the next call, and by the end.
    this.#pumped.catch(() => undefined);
  }

  /** A member without content: a directory, a symlink, another name of a file of this tar (`linkTo`). */
  async add(record: FileRecord): Promise<void> {
    await this.#entry((ended) => {
      this.#tar.entry(memberHeader(record, true), ended).on('error', untold);
    });
  }

  /**
   * A file with its content, just `record.size` bytes. A piece may be changed once the next one is asked for. Rejects as the pieces do; then
   * the tar is of no use.
   */
  async addFile(
    record: FileRecord,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<TarPlace> {
    let start = 0;
    let size = 0;
    try {
      await this.#entry(async (ended) => {
        const member = this.#tar.entry(memberHeader(record, false), ended);
        member.on('error', untold);
        for await (const piece of content) {
          if (piece.length === 0) continue;
          this.#throwFailure();
          const written = this.#expect(piece);
          member.write(piece);
          const at = await written;
          if (size === 0) start = at;
          size += piece.length;
        }
        member.end(undefined);
      });
    } catch (error) {
      this.#tar.destroy(toIsyncError(error, 'INTERNAL'));
      throw error;
    }
    return { start, end: start + size };
  }

  /** Ends the tar and its frames. Once. */
  async end(): Promise<void> {
    this.#throwFailure();
    this.#tar.finalize();
    await this.#pumped;
    await this.#frames.end();
  }

  /** Gives up; when it resolves, nothing more is written. */
  async abandon(): Promise<void> {
    this.#tar.destroy(new Error('the archive is given up'));
    await this.#pumped.catch(() => undefined);
  }

  async #entry(begin: (ended: (error?: Error | null) => void) => Promise<void> | void): Promise<void> {
    this.#throwFailure();
    const over = Promise.withResolvers<void>();
    over.promise.catch(() => undefined);
    await begin((error) => (error ? over.reject(error) : over.resolve()));
    try {
      this.#throwFailure();
      await over.promise;
    } catch (error) {
      this.#throwFailure();
      throw error;
    }
  }

  async #pump(): Promise<void> {
    try {
      for await (const piece of this.#tar) {
        if (!(piece instanceof Uint8Array)) continue;
        const at = this.#frames.position;
        await this.#write(piece);
        // The library hands on the very pieces that it was given.
        if (piece === this.#piece?.bytes) this.#piece.resolve(at);
      }
    } catch (error) {
      this.#failure ??= toIsyncError(error, 'INTERNAL');
      this.#piece?.reject(this.#failure);
      throw error;
    }
  }

  async #write(piece: Uint8Array): Promise<void> {
    try {
      await this.#frames.write(piece);
    } catch (error) {
      // Known before the member hears of it: leaving the loop destroys the tar.
      this.#failure = toIsyncError(error, 'INTERNAL');
      throw error;
    }
  }

  /** Resolves to where in the tar the piece is, once it has been written there. */
  #expect(bytes: Uint8Array): Promise<number> {
    this.#piece = { ...Promise.withResolvers<number>(), bytes };
    return this.#piece.promise;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Whoever called is told by the rejection of the call. */
function untold(): void {}
