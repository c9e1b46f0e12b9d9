import { createHash } from 'node:crypto';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { MAX_KEY_BYTES } from '../../model/object-key.ts';
import { isOwnPath, OWN_FOLDER } from '../../model/own-folder.ts';
import { isRelPath, type RelPath } from '../../model/rel-path.ts';

/**
 * The keys of a store's objects:
 *
 *     PREFIX/PATH                            a file, its path as it is
 *     PREFIX/.isync/store-id                 tells the store from all others; see store-id.ts
 *     PREFIX/.isync/notes/NAME               what those who use the store keep in it; see store-notes.ts
 *     PREFIX/.isync/uploads/PATH-HASH/VERSION-HASH   an upload under way; see upload-state.ts
 */
export class Keys {
  readonly #before: string;

  /** @param prefix without slashes at its ends, or '' */
  constructor(prefix: string) {
    this.#before = prefix === '' ? '' : `${prefix}/`;
  }

  /** Begins every key of the store. */
  get all(): string {
    return this.#before;
  }

  /** The key of the store's id. */
  get storeId(): string {
    return `${this.#before}${OWN_FOLDER}/store-id`;
  }

  /** Begins the key of every note. */
  get notes(): string {
    return `${this.#before}${OWN_FOLDER}/notes/`;
  }

  /** Begins the key of every upload state. */
  get states(): string {
    return `${this.#before}${OWN_FOLDER}/uploads/`;
  }

  /**
   * The key of a file that is to be kept.
   * @throws IsyncError BAD_PATH where the path is the store's own, or its key too long
   */
  keyFor(path: RelPath): string {
    if (isOwnPath(path)) throw new IsyncError('BAD_PATH', "this folder is the store's own", { path });
    const key = this.keyOf(path);
    if (key !== undefined) return key;
    throw new IsyncError('BAD_PATH', `the key in the bucket would be longer than ${MAX_KEY_BYTES} bytes`, {
      path,
      hint: 'Shorten the path, or the prefix of the store.',
    });
  }

  /** The key of a file; undefined where none can be kept under this path. */
  keyOf(path: RelPath): string | undefined {
    if (isOwnPath(path)) return undefined;
    const key = this.#before + path;
    return Buffer.byteLength(key) <= MAX_KEY_BYTES ? key : undefined;
  }

  /** The path of a file; undefined for a key that is no file of ours. */
  pathOf(key: string): RelPath | undefined {
    if (!key.startsWith(this.#before)) return undefined;
    const path = key.slice(this.#before.length);
    return isRelPath(path) && !isOwnPath(path) ? path : undefined;
  }

  /** Begins the keys of the states of all uploads to `path`. */
  statesOf(path: RelPath): string {
    return `${this.states}${hashOf(path)}/`;
  }

  stateKeyOf(file: FileEntry): string {
    return this.statesOf(file.path) + hashOf(`${file.size} ${file.mtimeUs}`);
  }
}

/** A hash of 128 bits: no two paths of a bucket share one, and the state itself names its file all the same. */
function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
