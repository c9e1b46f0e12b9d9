import { execFile } from 'node:child_process';
import { isShort, roomOf, type MinFree, type Room } from './room.ts';

/** How long a file system may take to tell what has become free, in ms. */
const SYNC_MS = 10_000;

/** Watches how much of a disk is free while directories are removed from it. */
export class RoomWatch {
  readonly #root: string;
  readonly #minFree: MinFree | undefined;
  readonly #isDry: boolean;
  #startedWith: Room | undefined;
  #madeBytes = 0;

  /** @param isDry nothing is really removed: what would be counts as free */
  constructor(root: string, minFree: MinFree | undefined, isDry: boolean) {
    this.#root = root;
    this.#minFree = minFree;
    this.#isDry = isDry;
  }

  get now(): Room {
    return roomOf(this.#root);
  }

  /** So many bytes have been removed. */
  made(bytes: number): void {
    this.#madeBytes += bytes;
  }

  /**
   * Whether there is less room than wanted. XFS and Btrfs tell of what was removed some time later only: where it should be enough and
   * is not, they are asked to come to an end with it, and then the disk is right, for others fill it meanwhile.
   */
  async isShort(): Promise<boolean> {
    if (this.#minFree === undefined) return false;
    const now = this.now;
    this.#startedWith ??= now;
    if (!this.#isDry && (now.isPrompt || !isShort(now, this.#minFree))) return isShort(now, this.#minFree);
    if (isShort(this.#startedWith, this.#minFree, this.#madeBytes)) return true;
    if (this.#isDry) return false;
    await syncFileSystem(this.#root);
    this.#startedWith = this.now;
    this.#madeBytes = 0;
    return isShort(this.#startedWith, this.#minFree);
  }
}

/** Resolves in any case: what could not be synced is found free later. */
function syncFileSystem(path: string): Promise<void> {
  return new Promise((resolve) => {
    execFile('sync', ['-f', path], { timeout: SYNC_MS, killSignal: 'SIGKILL' }, () => resolve());
  });
}
