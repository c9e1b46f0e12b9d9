import type { Copy } from './copy.ts';
import { BucketCopy, type BucketPlace } from './bucket-copy.ts';
import { FolderCopy, type FolderPlace } from './folder-copy.ts';
import { MemoryCopy, type MemoryPlace } from './memory-copy.ts';

/** Where a target keeps a device's files; as JSON it goes to another process. */
export type Place = FolderPlace | BucketPlace | MemoryPlace;

export function openCopy(place: Place): Copy {
  switch (place.store) {
    case 'folder':
      return new FolderCopy(place);
    case 'bucket':
      return new BucketCopy(place);
    case 'memory':
      return new MemoryCopy(place);
  }
}
