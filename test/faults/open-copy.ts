import type { Copy } from './copy.ts';
import type { BucketPlace } from './bucket-copy.ts';
import { FolderCopy, type FolderPlace } from './folder-copy.ts';
import { MemoryCopy, type MemoryPlace } from './memory-copy.ts';

/** Where a target keeps a device's files; as JSON it goes to another process. */
export type Place = FolderPlace | BucketPlace | MemoryPlace;

export async function openCopy(place: Place): Promise<Copy> {
  switch (place.store) {
    case 'folder':
      return new FolderCopy(place);
    case 'bucket': {
      // The SDK takes longer to load than most processes here live.
      const { BucketCopy } = await import('./bucket-copy.ts');
      return new BucketCopy(place);
    }
    case 'memory':
      return new MemoryCopy(place);
  }
}
