import { toMicroseconds } from '../../model/file-entry.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { Fingerprint } from '../../scanner/fingerprint.ts';
import { walk, type Step } from '../../scanner/walk.ts';
import { Breath } from './breath.ts';
import { lstatAt } from './read-folder.ts';

/** All that a directory of the store holds, as one look saw it. */
export interface Content {
  readonly files: number;
  readonly bytes: number;
  /** The latest ctime of a file, in ms: no program can set it, so it tells when the store last got one of them. 0 without files. */
  readonly lastChangeMs: number;
  /** Equal for two looks between which nothing has happened to a file. */
  readonly print: string;
  /** The first thing in it that is no file of ours, and what it is. */
  readonly fault: string | undefined;
}

/** `checkGoesOn` throws to end it early. */
export async function contentOf(root: string, at: RelPath, checkGoesOn: () => void): Promise<Content> {
  const breath = new Breath(checkGoesOn);
  const looking = new Looking(at, lstatAt(`${root}/${at}`)?.dev);
  for (const step of walk(root, at)) {
    looking.take(step);
    if (breath.isDue) await breath.take();
  }
  return looking.content;
}

class Looking {
  readonly #at: RelPath;
  readonly #device: number | undefined;
  readonly #print = new Fingerprint();
  #files = 0;
  #bytes = 0;
  #lastChangeMs = 0;
  #fault: string | undefined;

  constructor(at: RelPath, device: number | undefined) {
    this.#at = at;
    this.#device = device;
  }

  get content(): Content {
    return {
      files: this.#files,
      bytes: this.#bytes,
      lastChangeMs: this.#lastChangeMs,
      print: this.#print.toString(),
      fault: this.#fault,
    };
  }

  take(step: Step): void {
    if (step.kind === 'nothing') return;
    if (step.kind === 'finding') {
      const { finding } = step;
      this.#stays(step.path, finding.kind === 'problem' ? finding.problem.message : 'is no file');
      return;
    }
    const { path, stats } = step;
    if (stats.dev !== this.#device) this.#stays(path, 'is on another file system');
    if (step.kind === 'folder') return;
    if (!stats.isFile()) this.#stays(path, 'is no regular file');
    const { size, mtimeMs, ctimeMs, ino } = stats;
    this.#files++;
    this.#bytes += size;
    this.#lastChangeMs = Math.max(this.#lastChangeMs, ctimeMs);
    this.#print.add(this.#below(path), size, toMicroseconds(mtimeMs), ino, toMicroseconds(ctimeMs));
  }

  #below(path: string): string {
    return path.slice(this.#at.length + 1);
  }

  #stays(path: string, message: string): void {
    this.#fault ??= `"${this.#below(path)}" ${message}`;
  }
}
