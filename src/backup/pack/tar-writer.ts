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
  /** The first piece of content of the member that is being written; told where in the tar it goes. */
  #first: (PromiseWithResolvers<number> & { readonly piece: Uint8Array }) | undefined;

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
   * A file with its content, just `record.size` bytes. Of the pieces, none may be changed afterwards. Rejects as the pieces do; then the tar is
   * of no use.
   */
  async addFile(
    record: FileRecord,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<TarPlace> {
    this.#first = undefined;
    let size = 0;
    try {
      await this.#entry(async (ended) => {
        const member = this.#tar.entry(memberHeader(record, false), ended);
        member.on('error', untold);
        for await (const piece of content) {
          if (piece.length === 0) continue;
          this.#first ??= expected(piece);
          size += piece.length;
          this.#throwFailure();
          if (!member.write(piece)) await drained(member);
        }
        member.end(undefined);
      });
    } catch (error) {
      this.#tar.destroy(toIsyncError(error, 'INTERNAL'));
      throw error;
    }
    const start = await this.#placed();
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
    for await (const piece of this.#tar) {
      if (!(piece instanceof Uint8Array)) continue;
      // The library hands on the very pieces that it was given.
      if (piece === this.#first?.piece) this.#first.resolve(this.#frames.position);
      try {
        await this.#frames.write(piece);
      } catch (error) {
        // Known before the member hears of it: leaving this loop destroys the tar.
        this.#failure = toIsyncError(error, 'INTERNAL');
        this.#first?.reject(this.#failure);
        throw error;
      }
    }
  }

  async #placed(): Promise<number> {
    return (await this.#first?.promise) ?? 0;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function expected(piece: Uint8Array): PromiseWithResolvers<number> & { readonly piece: Uint8Array } {
  const place = Promise.withResolvers<number>();
  // Where writing fails, nobody may be waiting yet.
  place.promise.catch(() => undefined);
  return { ...place, piece };
}

/** Whoever called is told by the rejection of the call. */
function untold(): void {}

type Member = ReturnType<ReturnType<typeof pack>['entry']>;

async function drained(member: Member): Promise<void> {
  if (member.destroying) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      member.off('drain', go);
      member.off('close', go);
      resolve();
    };
    member.on('drain', go);
    member.on('close', go);
  });
}
