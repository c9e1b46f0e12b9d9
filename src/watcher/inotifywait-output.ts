import { decodeName } from '../model/rel-path.ts';

/** Longest token in bytes: a path of PATH_MAX (4096) and "./". What grows beyond it is no output of inotifywait. */
const MAX_TOKEN_BYTES = 8192;
const EVENT_NAMES = /^[A-Z_]+(,[A-Z_]+)*$/;
/** "./", what every path begins with and no event name can. */
const PATH_START = [0x2e, 0x2f] as const;

/** The arguments that make inotifywait write what {@link InotifywaitOutput} reads. */
export const OUTPUT_ARGUMENTS = ['--format', '%e%0%w%f%0', '--no-newline'] as const;

export interface InotifywaitEvents {
  /** Files that a writer closed or renamed into place, relative to the watched folder. */
  readonly closed: readonly string[];
  /** Folders that were moved in, relative to the watched folder; nothing is told of the files in them. */
  readonly folders: readonly string[];
  /** Some of the output made no sense: events may be lost. */
  readonly lost: boolean;
}

/**
 * Reads the output of `inotifywait` run on "." with {@link OUTPUT_ARGUMENTS}: event names, NUL, path, NUL, and so
 * on. Chunks may be cut anywhere. Names that are not UTF-8 are skipped: the listing reports them.
 */
export class InotifywaitOutput {
  #rest: Buffer = Buffer.alloc(0);
  #names: string | undefined;

  push(chunk: Buffer): InotifywaitEvents {
    const closed: string[] = [];
    const folders: string[] = [];
    let lost = false;
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, start)) {
      const token = bytes.subarray(start, end);
      start = end + 1;
      if (isPath(token)) {
        if (this.#names === undefined) lost = true;
        else addEvent(this.#names, decodeName(token.subarray(2)), closed, folders);
        this.#names = undefined;
      } else {
        const names = token.toString('latin1');
        if (this.#names !== undefined || !EVENT_NAMES.test(names)) lost = true;
        this.#names = names;
      }
    }
    this.#rest = Buffer.from(bytes.subarray(start));
    if (this.#rest.length > MAX_TOKEN_BYTES) {
      this.#rest = Buffer.alloc(0);
      lost = true;
    }
    return { closed, folders, lost };
  }
}

function isPath(token: Buffer): boolean {
  return token[0] === PATH_START[0] && token[1] === PATH_START[1];
}

function addEvent(names: string, path: string | undefined, closed: string[], folders: string[]): void {
  if (path === undefined || path === '') return;
  const kinds = names.split(',');
  if (!kinds.includes('ISDIR')) {
    if (kinds.includes('CLOSE_WRITE') || kinds.includes('MOVED_TO')) closed.push(path);
  } else if (kinds.includes('MOVED_TO')) {
    folders.push(path);
  }
}
