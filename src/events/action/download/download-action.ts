import type { KeyMap } from '../../match/key-map.ts';
import type { TargetPath } from '../../match/target-path.ts';
import type { Action } from '../action.ts';
import type { Apply } from './task.ts';

/** Where a key of a mapped prefix goes. */
export type DownloadTarget = Extract<TargetPath, { kind: 'file' | 'folder' }>;

/** Writes the objects of mapped prefixes to their folders. Disposes of nothing: whoever opened what `apply` needs does. */
export function downloadAction(keys: KeyMap, apply: Apply): Action<DownloadTarget> {
  return {
    name: 'download',
    needs: 'newest',
    route: ({ key }) => {
      const target = keys.targetOf(key);
      switch (target.kind) {
        case 'file':
        case 'folder':
          // Two keys may lead to one path.
          return { kind: 'task', target, place: `${target.mapping.folder}/${target.path}` };
        case 'root':
        case 'unmatched':
        case 'refused':
          return target;
      }
    },
    act: ({ event, target, messageId, attempt, isLastLook }, signal) =>
      apply({ ...target, event, messageId, attempt, isLastLook }, signal),
    [Symbol.asyncDispose]: async () => {},
  };
}
