import type { Content, Copy, Kept } from './copy.ts';

export interface MemoryPlace {
  readonly store: 'memory';
  /** Where memory-receiver.ts tells what it holds. */
  readonly url: string;
  readonly device: string;
}

/** The device's files in the memory of another process. */
export class MemoryCopy implements Copy {
  readonly #place: MemoryPlace;

  constructor(place: MemoryPlace) {
    this.#place = place;
  }

  async *list(): AsyncGenerator<Kept> {
    const start = `${this.#place.device}/`;
    for (const [path, tag] of await this.#all())
      if (path.startsWith(start)) yield { path: path.slice(start.length), tag };
  }

  async tagsOf(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const wanted = new Set(paths);
    const tags = new Map<string, string>();
    for await (const { path, tag } of this.list()) if (wanted.has(path)) tags.set(path, tag);
    return tags;
  }

  async read(path: string): Promise<Content | undefined> {
    const { url, device } = this.#place;
    const query = new URLSearchParams({ path: `${device}/${path}` });
    const answer = await fetch(`${url}/file?${query.toString()}`);
    if (!answer.ok) return undefined;
    return {
      bytes: Buffer.from(await answer.arrayBuffer()),
      tag: answer.headers.get('etag') ?? '',
      mtimeMs: Number(answer.headers.get('x-mtime-ms')),
    };
  }

  async strangers(): Promise<string[]> {
    const paths = (await this.#all()).map(([path]) => path);
    return paths.filter((path) => !path.startsWith(`${this.#place.device}/`));
  }

  [Symbol.dispose](): void {}

  async #all(): Promise<readonly (readonly [string, string])[]> {
    const answer = await fetch(`${this.#place.url}/files`);
    return (await answer.json()) as [string, string][];
  }
}
