import type { Block } from './content.ts';

/** One thing that the parser does. Paths are relative to the root. */
export type Step =
  | { readonly do: 'folder'; readonly path: string }
  /** In place; in pieces with pauses between them where `pieces` is more than 1. */
  | {
      readonly do: 'write';
      readonly path: string;
      readonly block: Block | undefined;
      readonly pieces: number;
      readonly pauseMs: number;
      /** Set afterwards, in s since the epoch. */
      readonly mtime?: number;
    }
  | { readonly do: 'append'; readonly path: string; readonly block: Block }
  /** Truncates and writes; `mtimeBack` gives it its old mtime again. */
  | { readonly do: 'rewrite'; readonly path: string; readonly block: Block; readonly mtimeBack: boolean }
  /** Writes `via` and renames it to `path`, with the mtime of what was there where `mtimeBack`. */
  | {
      readonly do: 'publish';
      readonly path: string;
      readonly via: string;
      readonly block: Block | undefined;
      readonly pauseMs: number;
      readonly mtimeBack: boolean;
    }
  /** `cp -p` of a file with an old mtime that lies outside of the data directories. */
  | { readonly do: 'copy'; readonly path: string; readonly block: Block; readonly mtime: number }
  | { readonly do: 'move'; readonly path: string; readonly to: string }
  | { readonly do: 'remove'; readonly path: string }
  /** `chmod g-w`: send it again. */
  | { readonly do: 'unmark'; readonly path: string }
  /** `count` files of one small block each, as fast as it goes. */
  | {
      readonly do: 'burst';
      readonly path: string;
      readonly count: number;
      readonly firstId: number;
      readonly length: number;
    }
  | { readonly do: 'close'; readonly path: string; readonly block: Block | undefined }
  | { readonly do: 'pause'; readonly ms: number };

export interface Plan {
  readonly umask: number;
  /** In the order of their creation. */
  readonly directories: readonly string[];
  readonly steps: readonly Step[];
}

export function burstPath(directory: string, index: number): string {
  return `${directory}/burst-${index}`;
}

/** The data directory of a path. */
export function directoryOf(path: string): string {
  return path.slice(0, path.indexOf('/'));
}
