import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { openFileStore } from '../../src/store/file/file-store.ts';
import type { FileStoreOptions, LocalStore } from '../../src/store/file/local-store.ts';

/** A folder for stores, another one for every test, with what else a test needs beside it. */
export interface StoreFolder {
  /** The store's folder. */
  readonly root: string;
  /** A folder outside of the store. */
  readonly outside: string;
  /** Opens the store; it is closed after the test. */
  open(options?: FileStoreOptions): Promise<LocalStore>;
  /** Runs after the test, before the folder is removed. */
  afterwards(task: () => unknown): void;
  /** Files in the store's own folder, unfinished ones of open processes included. */
  staged(): Promise<string[]>;
}

export function useStoreFolder(): StoreFolder {
  let base: string;
  let tasks: (() => unknown)[];

  beforeEach(() => {
    base = realpathSync(mkdtempSync(join(tmpdir(), 'isync-store-')));
    tasks = [];
    for (const name of ['store', 'outside']) mkdirSync(join(base, name));
  });

  afterEach(async () => {
    for (const task of tasks.reverse()) await task();
    await rm(base, { recursive: true });
  });

  return {
    get root() {
      return join(base, 'store');
    },
    get outside() {
      return join(base, 'outside');
    },
    async open(options) {
      const store = await openFileStore(join(base, 'store'), options);
      tasks.push(() => store[Symbol.asyncDispose]());
      return store;
    },
    afterwards: (task) => void tasks.push(task),
    async staged() {
      const all = await readdir(join(base, 'store/.isync'), { recursive: true, withFileTypes: true });
      return all.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    },
  };
}
