import { join } from 'node:path';
import { IsyncError } from '../../model/isync-error.ts';
import { OWN_FOLDER } from '../../model/own-folder.ts';
import { isRelPath, MAX_PATH_SEGMENTS, relPathFault, type RelPath } from '../../model/rel-path.ts';
import type { Mapping, TargetPath } from './target-path.ts';

/** Which folder has which keys: the longest prefix of a key wins, and is cut off. */
export class KeyMap {
  /**
   * Prefixes of which none lies below another, so that listing each gives each mapped key once. Sorted.
   */
  readonly prefixes: readonly string[];
  readonly #mappings: ReadonlyMap<string, Mapping>;
  /** Of all prefixes, the longest first. */
  readonly #lengths: readonly number[];
  /** All mapped folders, as {@link folderId} writes them. */
  readonly #folders: ReadonlySet<string>;

  /**
   * @param pairs prefix and folder, absolute as path.resolve gives it. '' is the whole bucket; a prefix without a final "/" means that folder.
   * @throws IsyncError CONFIG_INVALID whose message begins with the prefix
   */
  constructor(pairs: Iterable<readonly [prefix: string, folder: string]>) {
    const mappings = new Map<string, Mapping>();
    for (const [written, folder] of pairs) {
      const prefix = normalPrefix(written);
      const before = mappings.get(prefix)?.folder ?? folder;
      if (before !== folder) throw twice(written, before, folder);
      mappings.set(prefix, { prefix, folder });
    }
    this.#mappings = mappings;
    this.#folders = new Set([...mappings.values()].map(({ folder }) => folderId(folder)));
    this.#lengths = [...new Set([...mappings.keys()].map(({ length }) => length))].toSorted((a, b) => b - a);
    this.prefixes = [...mappings.keys()].filter((prefix) => !this.#liesBelowAnother(prefix)).toSorted();
  }

  targetOf(key: string): TargetPath {
    const mapping = this.#longestMapping(key, key.length);
    if (mapping === undefined) return { kind: 'unmatched' };
    if (key === mapping.prefix) return { kind: 'root', mapping };

    const isFolder = key.endsWith('/');
    const path = key.slice(mapping.prefix.length, isFolder ? -1 : undefined);
    if (!isRelPath(path)) return { kind: 'refused', mapping, reason: faultIn(path) };
    const reason = depthFault(path) ?? this.#ownFault(path, mapping.folder);
    if (reason !== undefined) return { kind: 'refused', mapping, reason };
    return { kind: isFolder ? 'folder' : 'file', mapping, path };
  }

  /** Looks at those lengths alone that a prefix has, so a key costs as much with thousands of prefixes as with one. */
  #longestMapping(key: string, longest: number): Mapping | undefined {
    for (const length of this.#lengths) {
      if (length > longest || (length > 0 && key[length - 1] !== '/')) continue;
      const mapping = this.#mappings.get(key.slice(0, length));
      if (mapping !== undefined) return mapping;
    }
    return undefined;
  }

  #liesBelowAnother(prefix: string): boolean {
    return this.#longestMapping(prefix, prefix.length - 1) !== undefined;
  }

  /** Isync keeps what is its own in each mapped folder; one may lie inside another. */
  #ownFault(path: RelPath, folder: string): string | undefined {
    if (!path.toLowerCase().includes(OWN_FOLDER)) return undefined;
    const segments = path.split('/');
    const isOwn = segments.some(
      (segment, index) =>
        segment.toLowerCase() === OWN_FOLDER &&
        this.#folders.has(folderId(join(folder, ...segments.slice(0, index)))),
    );
    return isOwn ? `would land in a folder "${OWN_FOLDER}", which is isync's own` : undefined;
  }
}

/** Not every file system tells upper from lower case. */
function folderId(folder: string): string {
  return join(folder, '.').toLowerCase();
}

function faultIn(path: string): string {
  // "web//" under "web/".
  return (path === '' ? undefined : relPathFault(path)) ?? 'has an empty segment';
}

function depthFault(path: RelPath): string | undefined {
  return path.split('/').length > MAX_PATH_SEGMENTS
    ? `has more than ${MAX_PATH_SEGMENTS} segments`
    : undefined;
}

/** @throws IsyncError CONFIG_INVALID */
function normalPrefix(written: string): string {
  if (written === '') return '';
  const path = written.endsWith('/') ? written.slice(0, -1) : written;
  if (path.startsWith('/') || path === '')
    throw new IsyncError('CONFIG_INVALID', `the prefix "${written}" begins with "/"`, {
      hint: 'Write it as keys begin, without "/" in front; "" stands for the whole bucket.',
    });
  const fault = relPathFault(path);
  if (fault !== undefined)
    throw new IsyncError('CONFIG_INVALID', `the prefix "${written}" ${fault}`, {
      hint: 'A key below it could not become a path of a file. Map a prefix above it, or rename the objects.',
    });
  return `${path}/`;
}

function twice(written: string, folder: string, other: string): IsyncError {
  return new IsyncError(
    'CONFIG_INVALID',
    `the prefix "${written}" is mapped to "${folder}" and to "${other}"`,
    {
      hint: 'A prefix has one folder, with or without its final "/"; several prefixes may share a folder.',
    },
  );
}
