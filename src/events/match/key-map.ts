import type { Mapping } from '../../config/sync-map.ts';
import { isRelPath, MAX_PATH_SEGMENTS, relPathFault, type RelPath } from '../../model/rel-path.ts';
import type { TargetPath } from './target-path.ts';

/** Which folder has which keys: the longest prefix of a key wins, and is cut off. */
export class KeyMap {
  /**
   * Prefixes of which none lies below another, so that listing each gives each mapped key once. Sorted.
   */
  readonly prefixes: readonly string[];
  readonly #mappings: ReadonlyMap<string, Mapping>;
  /** Of all prefixes, the longest first. */
  readonly #lengths: readonly number[];

  constructor(mappings: readonly Mapping[]) {
    this.#mappings = new Map(mappings.map((mapping) => [mapping.prefix, mapping]));
    const prefixes = [...this.#mappings.keys()];
    this.#lengths = [...new Set(prefixes.map(({ length }) => length))].toSorted((a, b) => b - a);
    this.prefixes = prefixes.filter((prefix) => !this.#liesBelowAnother(prefix)).toSorted();
  }

  targetOf(key: string): TargetPath {
    const mapping = this.#longestMapping(key, key.length);
    if (mapping === undefined) return { kind: 'unmatched' };
    if (key === mapping.prefix) return { kind: 'root', mapping };

    const isFolder = key.endsWith('/');
    const path = key.slice(mapping.prefix.length, isFolder ? -1 : undefined);
    if (!isRelPath(path)) return { kind: 'refused', mapping, reason: faultIn(path) };
    const reason = depthFault(path);
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
