import type { Stats } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Abortable } from '../../model/abortable.ts';
import { toMicroseconds } from '../../model/file-entry.ts';
import { PARSE_MARKER, WATCH_MARKER } from '../../model/markers.ts';
import type { Problem } from '../../model/problem.ts';
import { parseRelPath } from '../../model/rel-path.ts';
import { findingOf } from '../../scanner/finding.ts';
import { Fingerprint } from '../../scanner/fingerprint.ts';
import type { IgnoreRule } from '../../scanner/ignore-rule.ts';
import type { ListedFile } from '../../scanner/listed-file.ts';
import { lookAt } from '../../scanner/look-at.ts';
import type { OpenFiles } from '../../scanner/open-files.ts';
import { walk, type Step } from '../../scanner/walk.ts';
import type { Place } from './place.ts';

/** Entries looked at before other work gets its turn: about 1 ms of a local disk. */
const ENTRIES_PER_SLICE = 256;

/** All that a directory holds, as one listing saw it. */
export interface Survey {
  /** The first thing in it for which it has to stay. */
  readonly fault: Problem | undefined;
  /** Files, the parser's marker among them. */
  readonly files: number;
  readonly bytes: number;
  /** As {@link VerifiedPrint} tells it: equal for two looks between which nothing at all has happened to a file. */
  readonly print: string;
  /** As a seal records it, of all files but the markers. */
  readonly sealPrint: string;
  /** The file that has changed last, and when, in ms; undefined where there is none. */
  readonly youngest: { readonly path: string; readonly ms: number } | undefined;
  /** The latest ctime of anything in it, in ms. What happens to it from now on has a later one. */
  readonly lastCtimeMs: number;
  /** When the look began, in ms. */
  readonly startedMs: number;
  /** Files that a seal counts: all but the markers. */
  readonly sealedFiles: number;
}

export interface SurveyOptions extends Abortable {
  readonly ignore: IgnoreRule;
  /** What some process has open. */
  readonly open: OpenFiles;
}

/** A fingerprint of every file of a directory, wherever that is: path, size, mtime, inode and ctime. */
export class VerifiedPrint {
  readonly #place: Place;
  readonly #print = new Fingerprint();

  constructor(place: Place) {
    this.#place = place;
  }

  add({ entry, identity }: ListedFile): void {
    const below = entry.path.slice(this.#place.at.length);
    this.#print.add(below, entry.size, entry.mtimeUs, identity.ino, toMicroseconds(identity.ctimeMs));
  }

  toString(): string {
    return this.#print.toString();
  }
}

/** Lists a directory with all that it holds. A directory that is gone has no files. Rejects with the signal's reason only. */
export async function survey(place: Place, options: SurveyOptions): Promise<Survey> {
  const { root, at } = place;
  const top = lookAt(`${root}/${at}`);
  const looking = new Surveying(place, top?.dev, options);
  if (top !== undefined) looking.look(at, top);
  looking.lookForWorkers();
  let looked = 0;
  for (const step of walk(root, at)) {
    looking.take(step);
    if (++looked % ENTRIES_PER_SLICE > 0) continue;
    await setImmediate();
    options.signal?.throwIfAborted();
  }
  looking.takeMarkers();
  return looking.survey;
}

class Surveying {
  readonly #place: Place;
  readonly #device: number | undefined;
  readonly #options: SurveyOptions;
  readonly #print: VerifiedPrint;
  readonly #sealPrint = new Fingerprint();
  #fault: Problem | undefined;
  #files = 0;
  #bytes = 0;
  #youngest: { path: string; ms: number } | undefined;
  #lastCtimeMs = 0;
  readonly #startedMs = Date.now();
  #sealedFiles = 0;

  constructor(place: Place, device: number | undefined, options: SurveyOptions) {
    this.#place = place;
    this.#device = device;
    this.#options = options;
    this.#print = new VerifiedPrint(place);
  }

  get survey(): Survey {
    return {
      fault: this.#fault,
      files: this.#files,
      bytes: this.#bytes,
      print: this.#print.toString(),
      sealPrint: this.#sealPrint.toString(),
      youngest: this.#youngest,
      lastCtimeMs: this.#lastCtimeMs,
      startedMs: this.#startedMs,
      sealedFiles: this.#sealedFiles,
    };
  }

  take(step: Step): void {
    if (step.kind === 'finding' && step.finding.kind === 'problem') {
      const { code, message } = step.finding.problem;
      this.#stays(step.path, `${message} [${code}]`);
    }
    if (step.kind !== 'folder' && step.kind !== 'entry') return;
    this.#lastCtimeMs = Math.max(this.#lastCtimeMs, step.stats.ctimeMs);
    this.look(step.path, step.stats);
    if (step.kind === 'entry') this.#takeEntry(step.path, step.stats);
  }

  /** For which a file or folder has to stay, whatever it holds. */
  look(path: string, { dev, ino }: Stats): void {
    if (dev !== this.#device) this.#stays(path, 'is on another file system');
    else if (this.#options.open.has({ dev, ino })) this.#stays(path, 'is open');
  }

  /** A process that works within it reaches its files by names that no rename changes. */
  lookForWorkers(): void {
    const { root, at } = this.#place;
    if (this.#options.open.hasWorkerIn(`${root}/${at}`))
      this.#stays(at, 'is the working directory of a process');
  }

  takeMarkers(): void {
    const { root, at } = this.#place;
    for (const name of [PARSE_MARKER, WATCH_MARKER]) {
      const path = `${at}/${name}`;
      const stats = lookAt(`${root}/${path}`);
      if (stats?.isFile() !== true) continue;
      this.#lastCtimeMs = Math.max(this.#lastCtimeMs, stats.ctimeMs);
      if (name === PARSE_MARKER) this.#takeFile(path, stats);
    }
  }

  #takeEntry(path: string, stats: Stats): void {
    if (this.#options.ignore(this.#told(path)))
      return this.#stays(path, 'is left alone by a scan, so the target does not have it');
    const file = this.#takeFile(path, stats);
    if (file === undefined) return;
    this.#sealedFiles++;
    this.#sealPrint.add(this.#told(path), file.entry.size, file.entry.mtimeUs, file.identity.ino);
    const ms = Math.max(stats.mtimeMs, stats.ctimeMs);
    if (this.#youngest === undefined || ms > this.#youngest.ms)
      this.#youngest = { path: this.#told(path), ms };
  }

  #takeFile(path: string, stats: Stats): ListedFile | undefined {
    const finding = findingOf(parseRelPath(path), stats);
    if (finding.kind === 'problem') {
      this.#stays(path, `${finding.problem.message} [${finding.problem.code}]`);
      return undefined;
    }
    this.#files++;
    this.#bytes += stats.size;
    this.#print.add(finding.file);
    return finding.file;
  }

  /** The path as it was before the directory was set aside. */
  #told(path: string): string {
    return this.#place.name + path.slice(this.#place.at.length);
  }

  #stays(path: string, message: string): void {
    this.#fault ??= { path: this.#told(path), code: 'NOT_EXPIRED', message };
  }
}
