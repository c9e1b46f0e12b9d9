import { afterEach, beforeEach, expect } from 'vitest';
import { digestOf } from '../../../src/model/digest.ts';
import { digestIn } from './files.ts';
import { type FileEntry, sameVersion } from '../../../src/model/file-entry.ts';
import type { Store, Upload } from '../../../src/store/store.ts';

/** What a form of the store brings to the suite: one place to keep files, which can be opened again and again. */
export interface StoreSetup extends AsyncDisposable {
  /**
   * A store like a folder has folders (no path is a file and a folder at once), lists mtimes, and resumes at just what was
   * written. One like a bucket has none, lists when files were published, and resumes after whole parts.
   */
  readonly like: 'folder' | 'bucket';
  open(): Promise<Store>;
  /** Removes all that is in it, the store's own files too. */
  empty(): Promise<void>;
}

/** The store under test: another one in another place for every test. */
export interface Subject {
  readonly store: Store;
  readonly isFolder: boolean;
  /** Closes the store and opens its place again. */
  reopen(): Promise<void>;
  /** Opens its place once more; the caller closes that store. */
  open(): Promise<Store>;
  /** Removes all that is in its place, the store's own files too. */
  empty(): Promise<void>;
  /** What is published of a file; compare it with {@link whole}, or undefined. */
  kept(file: FileEntry): Promise<Kept | undefined>;
  begin(file: FileEntry, resume?: boolean): Promise<Upload>;
  /** Fails unless an upload of which `written` bytes had come goes on where this store lets it. */
  expectResumed(offset: number, written: number): void;
}

interface Kept {
  readonly size: number;
  readonly digest: string | undefined;
  readonly isThisVersion: boolean;
}

export function useSubject(setup: () => Promise<StoreSetup>): Subject {
  let place: StoreSetup;
  let store: Store;

  beforeEach(async () => {
    place = await setup();
    store = await place.open();
  });

  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  return {
    get store() {
      return store;
    },
    get isFolder() {
      return place.like === 'folder';
    },
    async reopen() {
      await store[Symbol.asyncDispose]();
      store = await place.open();
    },
    open: () => place.open(),
    empty: () => place.empty(),
    async kept(file) {
      const found = await store.stat(file.path);
      const digest = (await digestIn(store, file.path))?.toString('hex');
      if (found === undefined && digest === undefined) return undefined;
      const isThisVersion = found !== undefined && sameVersion(found, file);
      return { size: found?.size ?? -1, digest, isThisVersion };
    },
    expectResumed(offset, written) {
      if (place.like === 'folder') expect(offset).toBe(written);
      else expect(offset).toBeLessThanOrEqual(written);
    },
    begin: (file, resume = true) => store.begin(file, { algorithm: 'xxh64', resume }),
  };
}

/** What {@link Subject.kept} tells when exactly this is kept. */
export function whole(content: Uint8Array | string): Kept {
  const bytes = Buffer.from(content);
  return { size: bytes.length, digest: digestOf('xxh64', bytes).toString('hex'), isThisVersion: true };
}
