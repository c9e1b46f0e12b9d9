import { comparesBefore } from '../../s3/sorted-keys.ts';

/**
 * Walks listings that are in the order of their keys side by side, and gives for each key what every one of them has under it, in the
 * order of the listings. Holds one entry of each.
 */
export async function* mergeSorted<Listed extends { readonly key: string }>(
  listings: readonly AsyncGenerator<Listed>[],
): AsyncGenerator<(Listed | undefined)[]> {
  const next = async (listing: AsyncGenerator<Listed>) => {
    const result = await listing.next();
    return result.done === true ? undefined : result.value;
  };
  try {
    const heads: (Listed | undefined)[] = await Promise.all(listings.map(next));
    for (;;) {
      let least: string | undefined;
      for (const head of heads)
        if (head !== undefined && (least === undefined || comparesBefore(head.key, least))) least = head.key;
      if (least === undefined) return;
      const found = heads.map((head) => (head?.key === least ? head : undefined));
      yield found;
      for (const [index, listing] of listings.entries())
        if (found[index] !== undefined) heads[index] = await next(listing);
    }
  } finally {
    await Promise.all(listings.map(async (listing) => await listing.return(undefined)));
  }
}
