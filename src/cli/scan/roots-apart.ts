import type { ListedScan } from '../../config/read-scans.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { isWithin } from '../../model/is-within.ts';
import { realPlace } from '../real-place.ts';

/**
 * Refuses scans of one process whose roots are the same or lie in each other: the marks in a root stand for one target. And a target
 * folder of one in the root of another, which would be sent on as if a parser had made it. Symlinks are followed.
 */
export class RootsApart {
  readonly #taken = new Map<ListedScan, Places>();

  /** Takes the places of all. @throws IsyncError CONFIG_INVALID */
  static async of(scans: readonly ListedScan[]): Promise<RootsApart> {
    const apart = new RootsApart();
    for (const scan of scans) await apart.take(scan);
    return apart;
  }

  /**
   * Takes the places of `scan` as they are now: a disk that was mounted since shows where a symlink leads. Those that others have
   * taken stay theirs.
   * @throws IsyncError CONFIG_INVALID where they are not apart from those
   */
  async take(scan: ListedScan): Promise<void> {
    const own = await placesOf(scan);
    for (const [other, places] of this.#taken) if (other !== scan) checkPair(places, own);
    this.#taken.set(scan, own);
  }
}

interface Place {
  readonly path: string;
  readonly real: string;
}

interface Places {
  readonly root: Place;
  /** Undefined where it is no folder of this machine. */
  readonly target: Place | undefined;
}

async function placesOf({ config: { root, to } }: ListedScan): Promise<Places> {
  return {
    root: { path: root, real: await realPlace(root) },
    target: to.kind === 'folder' ? { path: to.path, real: await realPlace(to.path) } : undefined,
  };
}

function checkPair(one: Places, other: Places): void {
  if (one.root.real === other.root.real)
    throw notApart(`${one.root.path} and ${other.root.path} are the same root`, other.root.path);
  const [outer, inner] = isWithin(other.root.real, one.root.real)
    ? [one.root, other.root]
    : [other.root, one.root];
  if (isWithin(inner.real, outer.real))
    throw notApart(`the root ${inner.path} lies in the root ${outer.path}`, inner.path);
  for (const [{ target }, { root }] of [
    [one, other],
    [other, one],
  ] as const)
    if (target !== undefined && (isWithin(target.real, root.real) || isWithin(root.real, target.real)))
      throw new IsyncError(
        'CONFIG_INVALID',
        `the target folder ${target.path} and the root ${root.path} are not apart`,
        {
          path: target.path,
          hint: 'What is kept there would be marked and sent as if a parser had made it; choose another folder.',
        },
      );
}

function notApart(message: string, path: string): IsyncError {
  return new IsyncError('CONFIG_INVALID', `two scans can't share a root: ${message}`, {
    path,
    hint:
      'Marks and finished.watch in a root tell what its one target has. To keep its files in two places, send them to one ' +
      'receiver, and let "isync scan" send the folder of the device in its store on to a bucket.',
  });
}
