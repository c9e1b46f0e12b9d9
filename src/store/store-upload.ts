import type { FileEntry } from '../model/file-entry.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { Upload } from './store.ts';
import { tooManyBytes, uploadEnded } from './store-errors.ts';

/** Where the bytes of an upload go. Its calls come one after the other, and either of the last two is the last one. */
export interface UploadBody {
  /** Bytes that are here already. */
  readonly offset: number;
  /** Appends `chunks`, which fit into the file. Resolves when the bytes may be reused. */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /** Publishes. When it can't, it lets go of everything, and keeps the bytes where they may be of use again. */
  publish(digest: Uint8Array): Promise<void>;
  /** Lets go of everything, and keeps the bytes for a later upload where `keep` says so. */
  letGo(keep: boolean): Promise<void>;
}

/** What an upload needs of its store. */
export interface UploadNeeds {
  /** Runs the publication when it is its turn. */
  readonly inTurn: (publish: () => Promise<void>) => Promise<void>;
  /** Called once, when nothing of this upload is under way any more. */
  readonly ended: () => void;
}

/** The rules that an upload keeps in every store, wherever its bytes go. */
export class StoreUpload implements Upload {
  readonly #file: FileEntry;
  readonly #body: UploadBody;
  readonly #needs: UploadNeeds;
  #writing: Promise<void> | undefined;
  #committed: Promise<void> | undefined;
  /** Set by the call that ends this upload; never rejects. */
  #ended: Promise<void> | undefined;

  constructor(file: FileEntry, body: UploadBody, needs: UploadNeeds) {
    this.#file = file;
    this.#body = body;
    this.#needs = needs;
  }

  get offset(): number {
    return this.#body.offset;
  }

  async write(...chunks: readonly Uint8Array[]): Promise<void> {
    if (this.#ended !== undefined) throw uploadEnded(this.#file);
    if (this.#writing !== undefined)
      throw new IsyncError('INTERNAL', 'write before the last one was done', { path: this.#file.path });
    const length = chunks.reduce((sum, bytes) => sum + bytes.length, 0);
    if (this.offset + length > this.#file.size) throw tooManyBytes(this.#file);
    const written = this.#body.write(chunks);
    this.#writing = written.catch(() => {
      // Told to the caller of write.
    });
    try {
      await written;
    } finally {
      this.#writing = undefined;
    }
  }

  commit(digest: Uint8Array): Promise<void> {
    this.#committed ??= this.#end(() => this.#needs.inTurn(() => this.#body.publish(digest)));
    return this.#committed;
  }

  abort(): Promise<void> {
    return this.#ended ?? this.#end(() => this.#body.letGo(false));
  }

  suspend(): Promise<void> {
    return this.#ended ?? this.#end(() => this.#body.letGo(true));
  }

  #end(last: () => Promise<void>): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(uploadEnded(this.#file));
    const ending = this.#finish(last);
    this.#ended = ending.catch(() => {
      // Told to the caller that ended the upload; all others only want it to have ended.
    });
    return ending;
  }

  async #finish(last: () => Promise<void>): Promise<void> {
    try {
      await this.#writing;
      await last();
    } finally {
      this.#needs.ended();
    }
  }
}
