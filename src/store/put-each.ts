import type { PublishOptions, PutOutcome, Store, WholeFile } from './store.ts';

/** {@link Store.putMany} by one `put` for each file, for stores and rules that gain nothing from many at once. */
export async function putEach<File extends WholeFile>(
  store: Pick<Store, 'put'>,
  files: readonly File[],
  outcome: PutOutcome<File>,
  options?: PublishOptions,
): Promise<void> {
  await Promise.all(
    files.map(async (each) => {
      try {
        await store.put(each.file, each.bytes, each.digest, options);
      } catch (error) {
        outcome.refused(each, error);
        return;
      }
      outcome.kept(each);
    }),
  );
}
