import { PARSE_MARKER, WATCH_MARKER } from '../model/markers.ts';
import type { Problem } from '../model/problem.ts';
import { firstSegment, type RelPath } from '../model/rel-path.ts';
import { sealFault, type DataDirectory } from '../scanner/data-directory.ts';
import type { SealRecord } from '../scanner/seal-record.ts';

/** What is known of a sealed directory. */
interface Sealed {
  readonly record: SealRecord;
  /** Files that are here with their mark and not at the target, which are told by their own names. */
  told: number;
  /** Files that the target has, without the parser's marker. */
  kept: number;
}

/**
 * Holds what the marker of each sealed directory says against the directory and the target. A marker without a record, as
 * those of older versions are, says nothing. Told of the sides' files as they are compared.
 */
export class SealCheck {
  readonly #sealed = new Map<string, Sealed>();

  /**
   * What is wrong with the record of this directory by itself. Only one that fits is counted against the target.
   * @param store identity of the target's store; undefined where it tells none
   * @param device whose files are compared
   */
  begin(directory: DataDirectory, store: string | undefined, device: string): Problem | undefined {
    const record = directory.seal?.record;
    if (record === undefined) return undefined;
    const fault = sealFault(directory, store, device);
    if (fault !== undefined)
      return { code: 'DIFFERENT', path: markerOf(directory.name), message: `${fault}; ${CURE}` };
    this.#sealed.set(directory.name, { record, told: 0, kept: 0 });
    return undefined;
  }

  /** A file that is here and not at the target. One without a mark was in no seal. */
  missing(path: RelPath, marked: boolean): void {
    const sealed = marked ? this.#sealed.get(firstSegment(path)) : undefined;
    if (sealed !== undefined) sealed.told++;
  }

  /** A file that the target has. */
  kept(path: RelPath): void {
    const directory = firstSegment(path);
    const sealed = this.#sealed.get(directory);
    if (sealed !== undefined && path !== `${directory}/${PARSE_MARKER}`) sealed.kept++;
  }

  /** Told last: directories of which the target lacks more than has been told by name. */
  *lacking(): Generator<Problem> {
    for (const [directory, { record, told, kept }] of this.#sealed)
      if (kept + told < record.files)
        yield {
          code: 'MISSING',
          path: markerOf(directory),
          message: `sealed with ${record.files} files at ${record.finished}, of which the target has ${kept}`,
        };
  }
}

const CURE = 'remove it, and the next scan looks into the directory';

function markerOf(directory: string): string {
  return `${directory}/${WATCH_MARKER}`;
}
