import { join } from 'node:path';
import { parentOf, type RelPath } from '../../src/model/rel-path.ts';
import type {
  KnownObject,
  OwedPath,
  PartialObject,
  PathUse,
  PullState,
} from '../../src/events/state/pull-state.ts';

/** The state of a pull in memory: for tests of what uses one. */
export class MemoryState implements PullState {
  readonly objects = new Map<string, KnownObject>();
  readonly #partials = new Map<string, PartialObject>();
  readonly #pending = new Map<string, KnownObject>();
  readonly #stores = new Map<string, string>();
  readonly #owed = new Set<string>();

  get(bucket: string, key: string): KnownObject | undefined {
    return this.objects.get(`${bucket}/${key}`);
  }
  async set(object: KnownObject): Promise<void> {
    this.objects.set(`${object.bucket}/${object.key}`, object);
  }
  async remove(bucket: string, key: string): Promise<void> {
    this.objects.delete(`${bucket}/${key}`);
  }
  async setPending(object: KnownObject): Promise<void> {
    this.#pending.set(`${object.bucket}/${object.key}`, object);
  }
  async removePending(bucket: string, key: string): Promise<void> {
    this.#pending.delete(`${bucket}/${key}`);
  }
  pending(): readonly KnownObject[] {
    return [...this.#pending.values()];
  }
  useOf(folder: string, path: RelPath | ''): PathUse {
    const at = join(folder, path);
    const all = [...this.objects.values()];
    const pathOf = (each: KnownObject): string => join(each.folder, each.path);
    const above = new Set<string>();
    for (let each: RelPath | '' = path === '' ? '' : parentOf(path); each !== ''; each = parentOf(each))
      above.add(join(folder, each));
    return {
      owner: all.find((each) => pathOf(each) === at),
      below: all.find((each) => pathOf(each).startsWith(`${at}/`)),
      above: all.find((each) => each.kind === 'file' && above.has(pathOf(each))),
    };
  }
  *list(bucket: string, prefix: string): Iterable<KnownObject> {
    const found = [...this.objects.values()].filter(
      (each) => each.bucket === bucket && each.key.startsWith(prefix),
    );
    yield* found.toSorted((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  }
  count(bucket: string, prefix: string): number {
    return [...this.list(bucket, prefix)].length;
  }
  partial(bucket: string, key: string): PartialObject | undefined {
    return this.#partials.get(`${bucket}/${key}`);
  }
  async setPartial(partial: PartialObject): Promise<void> {
    this.#partials.set(`${partial.bucket}/${partial.key}`, partial);
  }
  async removePartial(bucket: string, key: string): Promise<void> {
    this.#partials.delete(`${bucket}/${key}`);
  }
  storeId(folder: string): string | undefined {
    return this.#stores.get(folder);
  }
  async setStoreId(folder: string, id: string): Promise<void> {
    this.#stores.set(folder, id);
  }
  buckets(): readonly string[] {
    return [...new Set([...this.objects.values()].map(({ bucket }) => bucket))];
  }
  owed(limit: number): readonly OwedPath[] {
    return [...this.#owed].slice(0, limit).map((path, id) => ({ id, path }));
  }
  async setOwed(paths: readonly string[]): Promise<void> {
    for (const path of paths) this.#owed.add(path);
  }
  async removeOwed(owed: readonly OwedPath[]): Promise<void> {
    for (const { path } of owed) this.#owed.delete(path);
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}
