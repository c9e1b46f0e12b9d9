import type { Block } from './content.ts';

/**
 * What isync takes for an abandoned directory, in s: longer than a parser that is busy in one directory leaves another
 * alone.
 */
export const QUIET_S = 8;

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
  /** Another name of the same file, also in another directory. Neither is changed afterwards. */
  | { readonly do: 'link'; readonly path: string; readonly to: string }
  /** A default ACL, by which whatever is made in the folder can be written by the group. */
  | { readonly do: 'acl'; readonly path: string }
  /** A folder that was filled outside, with modes of 664, and comes in whole. */
  | { readonly do: 'tree'; readonly path: string; readonly files: readonly TreeFile[] }
  /** Renames a folder that has files in it. */
  | { readonly do: 'move-tree'; readonly path: string; readonly to: string }
  /**
   * `cp -a` of a whole data directory, of its seal as well where there is one, but for `finished.parse` unless it is to be
   * `closed`; the copy is given its name when it is complete.
   */
  | { readonly do: 'template'; readonly path: string; readonly from: string; readonly closed: boolean }
  | { readonly do: 'close'; readonly path: string; readonly block: Block | undefined }
  | { readonly do: 'pause'; readonly ms: number };

export interface TreeFile {
  /** Relative to the folder. */
  readonly name: string;
  readonly block: Block;
  /** In s since the epoch; now, where it is absent. */
  readonly mtime?: number;
}

export interface Plan {
  readonly umask: number;
  /** In the order of their creation. */
  readonly directories: readonly string[];
  readonly steps: readonly Step[];
}

/** Whether the parser gives files the bit of the mark, so that a look from outside can't tell a mark of isync's. */
export function sharesWithGroup({ umask, steps }: Plan): boolean {
  return umask !== 0o022 || steps.some((step) => step.do === 'acl');
}

/** Data directories that begin as a copy of another, by their name. */
export function templatesOf({ steps }: Plan): Map<string, string> {
  return new Map(steps.flatMap((step) => (step.do === 'template' ? [[step.path, step.from]] : [])));
}

/** Directories that a step makes, changes or ends. */
export function directoriesOf(step: Step): string[] {
  if (step.do === 'pause') return [];
  return [step.path, ...('to' in step ? [step.to] : [])].map(directoryOf);
}

export function burstPath(directory: string, index: number): string {
  return `${directory}/burst-${index}`;
}

/** The data directory of a path. */
export function directoryOf(path: string): string {
  const slash = path.indexOf('/');
  return slash < 0 ? path : path.slice(0, slash);
}
