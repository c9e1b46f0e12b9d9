import { IsyncError } from '../model/isync-error.ts';
import { WATCH_MARKER } from '../model/markers.ts';
import { isOwnPath, OWN_FOLDER } from '../model/own-folder.ts';
import {
  isRelPath,
  joinRelPath,
  MAX_PATH_SEGMENTS,
  nameOf,
  parseRelPath,
  type RelPath,
} from '../model/rel-path.ts';

/** The layout of a store by device: a device's files lie below the folder of its name, and nowhere else. */
export class DeviceFolder {
  readonly #folder: RelPath;

  /** @param device as parseDeviceName returned it */
  constructor(device: string) {
    this.#folder = parseRelPath(device);
  }

  /**
   * The place of a file that is to be kept.
   * @throws IsyncError BAD_PATH for a path outside of data directories, for our own marker: with it in the store a
   *   directory would look sealed there, and for our own folder: fetched into a root it would be taken for the root's
   */
  placeFor(path: RelPath): RelPath {
    const slash = path.indexOf('/');
    if (slash < 0) throw new IsyncError('BAD_PATH', 'a file must lie in a data directory', { path });
    if (isOwnPath(path))
      throw new IsyncError('BAD_PATH', `"${OWN_FOLDER}" is isync's own folder, never a data directory`, {
        path,
      });
    if (nameOf(path) === WATCH_MARKER && path.indexOf('/', slash + 1) < 0)
      throw new IsyncError('BAD_PATH', `${WATCH_MARKER} is never transferred`, { path });
    if (isTooDeep(path))
      throw new IsyncError('BAD_PATH', `the path has more than ${MAX_PATH_SEGMENTS} segments`, { path });
    return this.place(path);
  }

  /**
   * The place of a file, or of a directory; of '' that of all.
   * @throws IsyncError BAD_PATH where it would be too long
   */
  place(path: RelPath | ''): RelPath {
    return path === '' ? this.#folder : joinRelPath(this.#folder, path);
  }

  /** The place of `path`; undefined where it would be too long or too deep, so that nothing can be there. */
  find(path: RelPath | ''): RelPath | undefined {
    if (path === '') return this.#folder;
    if (isTooDeep(path)) return undefined;
    const place = `${this.#folder}/${path}`;
    return isRelPath(place) ? place : undefined;
  }

  /** What the device calls the file at `place`. */
  nameOf(place: RelPath): RelPath {
    return parseRelPath(place.slice(this.#folder.length + 1));
  }
}

/** Each folder of a path costs the disk a look, and a new one an fsync: 4096 bytes of path could name 2048. */
function isTooDeep(path: RelPath): boolean {
  let segments = 1;
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) segments++;
  return segments > MAX_PATH_SEGMENTS;
}
