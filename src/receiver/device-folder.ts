import { IsyncError } from '../model/isync-error.ts';
import { WATCH_MARKER } from '../model/markers.ts';
import { isRelPath, joinRelPath, nameOf, parseRelPath, type RelPath } from '../model/rel-path.ts';

/** Where a device's files lie in the store: below the folder of its name, and nowhere else. */
export class DeviceFolder {
  readonly #folder: RelPath;

  /** @param device as parseDeviceName returned it */
  constructor(device: string) {
    this.#folder = parseRelPath(device);
  }

  /**
   * The place of a file that is to be kept.
   * @throws IsyncError BAD_PATH for what is no file of a data directory, and for our own marker, which a receiver
   *   would otherwise hold for a directory that was sealed
   */
  placeFor(path: RelPath): RelPath {
    const slash = path.indexOf('/');
    if (slash < 0) throw new IsyncError('BAD_PATH', 'a file must lie in a data directory', { path });
    if (nameOf(path) === WATCH_MARKER && path.indexOf('/', slash + 1) < 0)
      throw new IsyncError('BAD_PATH', `${WATCH_MARKER} is never transferred`, { path });
    return joinRelPath(this.#folder, path);
  }

  /** The place of `path`, or undefined where it would be too long, so that nothing can be there. */
  find(path: RelPath | ''): RelPath | undefined {
    if (path === '') return this.#folder;
    const place = `${this.#folder}/${path}`;
    return isRelPath(place) ? place : undefined;
  }

  /** What the device calls the file at `place`. */
  nameOf(place: RelPath): RelPath {
    return parseRelPath(place.slice(this.#folder.length + 1));
  }
}
