import type { ContentHeaders } from '../../src/s3/object-attributes.ts';
import type { Origin, OriginAnswer, OriginKey } from '../../src/mirror/origin/origin.ts';

/** What a fake origin has under a key. */
export interface FakeObject {
  readonly content: Uint8Array;
  /** Default: that of the content. */
  readonly size?: number | undefined;
  readonly pieceBytes?: number;
  readonly notKept?: string;
  readonly etag?: string;
  readonly headers?: ContentHeaders;
  /** Before each piece: waits, or rejects as the origin's body does. */
  readonly before?: (at: number, signal: AbortSignal) => Promise<void>;
}

/** An origin of a test: it answers out of memory, and counts. */
export class FakeOrigin implements Origin {
  readonly name: string;
  readonly objects = new Map<string, FakeObject>();
  readonly asked: { readonly method: 'GET' | 'HEAD'; readonly key: OriginKey }[] = [];
  /** Bodies that nobody has read to their end or disposed of. */
  open = 0;
  isPublic = true;
  /** Before the head of an answer: waits, or rejects as an origin does. */
  answer: ((key: OriginKey, signal: AbortSignal) => Promise<void>) | undefined;

  constructor(name = 'https://old.example/') {
    this.name = name;
  }

  urlOf({ key }: OriginKey): string | undefined {
    return this.isPublic ? this.name + encodeURI(key) : undefined;
  }

  get gets(): string[] {
    return this.asked.filter(({ method }) => method === 'GET').map(({ key }) => key.key);
  }

  async ask(method: 'GET' | 'HEAD', key: OriginKey, signal: AbortSignal): Promise<OriginAnswer> {
    this.asked.push({ method, key });
    await this.answer?.(key, signal);
    const object = this.objects.get(key.key);
    if (object === undefined) return { kind: 'absent' };
    this.open += 1;
    let isOpen = true;
    const { content, etag, headers = {}, notKept } = object;
    return {
      kind: 'found',
      size: 'size' in object ? object.size : content.length,
      headers,
      etag,
      modifiedMs: undefined,
      metadata: {},
      notKept,
      bytes: method === 'HEAD' ? bytesOf({ content: Buffer.alloc(0) }, signal) : bytesOf(object, signal),
      [Symbol.dispose]: () => {
        if (isOpen) this.open -= 1;
        isOpen = false;
      },
    };
  }
}

async function* bytesOf(
  { content, pieceBytes = 64 * 1024, before }: FakeObject,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += pieceBytes) {
    await before?.(at, signal);
    signal.throwIfAborted();
    yield content.subarray(at, at + pieceBytes);
  }
  await before?.(content.length, signal);
}

/** Rejects when `signal` fires, as what waits for an origin does. */
export async function untilAborted(signal: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  });
}
