import type { RelPath } from '../../model/rel-path.ts';

/** A prefix of keys, and the folder that has what is below it. */
export interface Mapping {
  /** '' for the whole bucket; else it ends with "/". */
  readonly prefix: string;
  /** Absolute. */
  readonly folder: string;
}

/** Where a key goes. */
export type TargetPath =
  /** Below no prefix. */
  | { readonly kind: 'unmatched' }
  /** The mapped folder itself: there is nothing to do. */
  | { readonly kind: 'root'; readonly mapping: Mapping }
  /** `path` is below `mapping.folder`; a folder where the key ends with "/". */
  | { readonly kind: 'file' | 'folder'; readonly mapping: Mapping; readonly path: RelPath }
  /** Nothing safe: `reason` goes on from the key. */
  | { readonly kind: 'refused'; readonly mapping: Mapping; readonly reason: string };
