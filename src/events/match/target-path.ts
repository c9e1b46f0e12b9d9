import type { Mapping } from '../../config/sync-map.ts';
import type { RelPath } from '../../model/rel-path.ts';

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
