import type { ListedScan } from '../../config/read-scans.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { isWithin } from '../../model/is-within.ts';
import { realPlace } from '../real-place.ts';

/**
 * Refuses scans of one process whose roots are the same or lie in each other: the marks in a root stand for one target. And a target
 * folder of one in the root of another, which would be sent on as if a parser had made it. Symlinks are followed.
 * @throws IsyncError CONFIG_INVALID
 */
export async function checkRootsApart(scans: readonly ListedScan[]): Promise<void> {
  const places = await Promise.all(
    scans.map(async ({ config: { root, to } }) => ({
      root,
      real: await realPlace(root),
      target: to.kind === 'folder' ? { path: to.path, real: await realPlace(to.path) } : undefined,
    })),
  );
  for (const [index, one] of places.entries())
    for (const other of places.slice(index + 1)) {
      if (one.real === other.real)
        throw notApart(`${one.root} and ${other.root} are the same root`, other.root);
      const [outer, inner] = isWithin(other.real, one.real) ? [one, other] : [other, one];
      if (isWithin(inner.real, outer.real))
        throw notApart(`the root ${inner.root} lies in the root ${outer.root}`, inner.root);
    }
  for (const { root, real } of places)
    for (const { root: own, target } of places)
      if (
        own !== root &&
        target !== undefined &&
        (isWithin(target.real, real) || isWithin(real, target.real))
      )
        throw new IsyncError(
          'CONFIG_INVALID',
          `the target folder ${target.path} and the root ${root} are not apart`,
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
