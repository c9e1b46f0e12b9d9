import { LRUCache } from 'lru-cache';
import { isRelPath, type RelPath } from '../../model/rel-path.ts';

/**
 * How long after its last use a data directory counts as used, in ms: a sender that compares it, or seals it, has a pause of less between
 * two questions.
 */
const USED_MS = 10 * 60 * 1000;
/** Directories remembered as used; of more the one that was used longest ago is forgotten. About 200 bytes each. */
const MAX_REMEMBERED = 20_000;

/** Which data directories senders use: read, ask about, write to. */
export class DirectoryUses {
  readonly #now: () => number;
  /** When each was used last. */
  readonly #used = new LRUCache<string, number>({ max: MAX_REMEMBERED });
  /** Uploads under way. */
  readonly #open = new Map<string, number>();

  /** @param now ms of a clock that is never set back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Takes the place of a file or directory. That of all of a device is no use of any one. */
  touch(place: RelPath | ''): void {
    const directory = directoryOf(place);
    if (directory !== undefined) this.#used.set(directory, this.#now());
  }

  /** The directory is used until this is disposed of. */
  enter(place: RelPath): Disposable {
    const directory = directoryOf(place) ?? place;
    this.#open.set(directory, (this.#open.get(directory) ?? 0) + 1);
    let entered = true;
    return {
      [Symbol.dispose]: () => {
        if (!entered) return;
        entered = false;
        const left = (this.#open.get(directory) ?? 1) - 1;
        if (left === 0) this.#open.delete(directory);
        else this.#open.set(directory, left);
        this.touch(directory);
      },
    };
  }

  isUsed(directory: RelPath): boolean {
    if (this.#open.has(directory)) return true;
    return this.#now() - (this.#used.get(directory) ?? -Infinity) < USED_MS;
  }
}

/** DEVICE/DIRECTORY of a place. */
function directoryOf(place: RelPath | ''): RelPath | undefined {
  const first = place.indexOf('/');
  if (first < 0) return undefined;
  const second = place.indexOf('/', first + 1);
  const directory = second < 0 ? place : place.slice(0, second);
  return isRelPath(directory) ? directory : undefined;
}
