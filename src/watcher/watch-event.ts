import type { RelPath } from '../model/rel-path.ts';

/**
 * What a watch of a directory tells. All of it is a hint: the listener looks at the disk before it believes.
 * Paths are relative to the root.
 */
export type WatchEvent =
  /** The file at `path` is complete: closed by its writer, or settled. Told again whenever it was written again. */
  | { readonly kind: 'complete'; readonly path: RelPath }
  /** `finished.parse` has appeared. */
  | { readonly kind: 'closed' }
  /** Events may have been lost, or the directory changed without them: list it again. */
  | { readonly kind: 'reconcile'; readonly reason: string }
  /** The directory is gone. */
  | { readonly kind: 'gone' };

/** How completeness is known; see ARCHITECTURE.md. `auto` is close-write where inotifywait can be had, else settle. */
export type CompleteBy = 'auto' | 'close-write' | 'settle';
