import { closeSync, constants, fchmodSync, mkdirSync, openSync } from 'node:fs';
import { errnoOf } from '../../model/isync-error.ts';

const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** While it is restored, a folder is for its owner alone, who may write in it. */
const WORKING_MODE = 0o700;

/**
 * A folder that is held open. What is named through it is in this very folder, whatever is exchanged for a symlink above. All is
 * synchronous and throws Node's errors.
 */
export class OpenFolder {
  readonly fd: number;
  #users = 1;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Where everything is restored to: the only one that is found by a path of names. */
  static root(path: string): OpenFolder {
    return new OpenFolder(openSync(path, FOLDER_FLAGS));
  }

  /** A path for one call, of a name in here. */
  at(name: Buffer): Buffer {
    return Buffer.concat([Buffer.from(`/proc/self/fd/${this.fd}/`), name]);
  }

  /** A folder in here that is there. */
  enter(name: Buffer): OpenFolder {
    return new OpenFolder(openSync(this.at(name), FOLDER_FLAGS));
  }

  /** A new one. @param mayExist takes one that is there already */
  make(name: Buffer, mayExist: boolean): OpenFolder {
    let isMade = true;
    try {
      mkdirSync(this.at(name), WORKING_MODE);
    } catch (error) {
      if (!mayExist || errnoOf(error) !== 'EEXIST') throw error;
      isMade = false;
    }
    const folder = this.enter(name);
    // One that an earlier restore has finished may be read-only by now.
    if (!isMade) fchmodSync(folder.fd, WORKING_MODE);
    return folder;
  }

  /** For one user more: it is closed when each has released it. */
  retain(): this {
    this.#users++;
    return this;
  }

  release(): void {
    if (--this.#users === 0) closeSync(this.fd);
  }
}
