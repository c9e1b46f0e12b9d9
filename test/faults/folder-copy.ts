import { closeSync, fstatSync, lstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Content, Copy, Kept } from './copy.ts';
import { lookAt, walk } from './walk.ts';

export interface FolderPlace {
  readonly store: 'folder';
  readonly path: string;
  readonly device: string;
}

/** The device's folder in the store. */
export class FolderCopy implements Copy {
  readonly #store: string;
  readonly #device: string;
  readonly #folder: string;

  constructor({ path, device }: FolderPlace) {
    this.#store = path;
    this.#device = device;
    this.#folder = join(path, device);
  }

  async *list(): AsyncGenerator<Kept> {
    for (const { path, stats } of walk(this.#folder)) yield { path, tag: tagOf(stats) };
  }

  async tagsOf(paths: readonly string[]): Promise<ReadonlyMap<string, string> | undefined> {
    const before = lookAt(this.#folder);
    if (before === undefined) return undefined;
    const tags = new Map<string, string>();
    for (const path of paths) {
      const stats = lookAt(join(this.#folder, path));
      if (stats?.isFile() === true) tags.set(path, tagOf(stats));
    }
    // Taken away meanwhile, it had nothing for a while.
    return lookAt(this.#folder)?.ino === before.ino ? tags : undefined;
  }

  /** One open file read whole: whatever it is renamed to meanwhile. */
  async read(path: string): Promise<Content | undefined> {
    let file: number | undefined;
    try {
      if (!lstatSync(join(this.#folder, path)).isFile()) return undefined;
      file = openSync(join(this.#folder, path), 'r');
      const bytes = readFileSync(file);
      const stats = fstatSync(file);
      return { bytes, tag: tagOf(stats), mtimeMs: stats.mtimeMs, mode: stats.mode & 0o777 };
    } catch {
      // Gone, or taken away for a while.
      return undefined;
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  async strangers(): Promise<string[]> {
    return (await readdir(this.#store)).filter((entry) => entry !== this.#device && entry !== '.isync');
  }

  [Symbol.dispose](): void {}
}

function tagOf({ ino, ctimeMs, size }: Stats): string {
  return `${ino} ${ctimeMs} ${size}`;
}
