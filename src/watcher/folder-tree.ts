import type { FSWatcher, Stats } from 'node:fs';

/** A folder that is, or should be, watched. */
export interface Folder {
  /** Relative to the watched directory, which is ''. */
  readonly path: string;
  readonly parent: Folder | undefined;
  readonly name: string;
  readonly children: Map<string, Folder>;
  /** The folder that `watcher` watches: another one may stand under its path by now. */
  stats: Stats | undefined;
  /** Undefined where no watch could be had. */
  watcher: FSWatcher | undefined;
  /** Names that events have told of and nobody has looked at yet. */
  readonly touched: Set<string>;
}

export function makeFolder(parent: Folder | undefined, name: string): Folder {
  const path = parent === undefined || parent.path === '' ? name : `${parent.path}/${name}`;
  const folder: Folder = {
    path,
    parent,
    name,
    children: new Map(),
    stats: undefined,
    watcher: undefined,
    touched: new Set(),
  };
  parent?.children.set(name, folder);
  return folder;
}

/** `folder` and every folder below it, in no order. */
export function withDescendants(folder: Folder): Folder[] {
  const found = [folder];
  for (const one of found) for (const child of one.children.values()) found.push(child);
  return found;
}
