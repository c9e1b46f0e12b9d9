import { createHash } from 'node:crypto';
import type { ListedPart } from '../../s3/multipart.ts';

/** A point of a file from which an upload can be resumed: the first `parts` parts, and the digest of their bytes. */
export interface Boundary {
  readonly parts: number;
  /** Hash of the ETags of these parts; see {@link link}. */
  readonly chain: string;
  /** Saved state of the digest over these parts, base64. */
  readonly digest: string;
}

/** The chain of no parts at all. */
const NO_PARTS = '';

/** The chain with one more part: one short text stands for thousands of ETags, and a different part anywhere breaks it. */
function link(chain: string, etag: string): string {
  return createHash('md5').update(`${chain} ${etag}`).digest('hex');
}

/**
 * Knows which parts have been handed to the server, which of them it has kept, and from where another process could resume.
 *
 * The ETag of a part is the MD5 of its bytes. So a boundary is known, and can be written down, as soon as its part is
 * handed over: a part that arrives just before this process is killed still counts. Servers with other ETags (SSE-KMS)
 * tell them only in their answer.
 */
export class PartLedger {
  readonly #etags: (string | undefined)[];
  /** The parts after `#kept`, in order. */
  #handed: { readonly etag: string; readonly digest: string }[] = [];
  #kept: Boundary;
  #isExpected = true;

  constructor(start?: Boundary, etags: readonly string[] = []) {
    this.#kept = start ?? { parts: 0, chain: NO_PARTS, digest: '' };
    this.#etags = [...etags];
  }

  /** How many parts the server has kept, counted up to the first that it lacks. */
  get kept(): number {
    return this.#kept.parts;
  }

  /** How many parts have been handed to the server. */
  get handed(): number {
    return this.#kept.parts + this.#handed.length;
  }

  /** All ETags, once every part is kept. */
  get etags(): readonly string[] {
    return this.#etags.slice(0, this.kept).map((etag) => etag ?? '');
  }

  /** Notes that the next part is on its way. `etag` is the expected one, `digest` that of all bytes up to its end. */
  handOver(etag: string, digest: string): void {
    this.#handed.push({ etag, digest });
  }

  /** Notes that the server has kept the part with this number (from 1) under `etag`. */
  arrived(number: number, etag: string): void {
    if (this.#handed[number - this.kept - 1]?.etag !== etag) this.#isExpected = false;
    this.#etags[number - 1] = etag;
    for (;;) {
      const next = this.#etags[this.kept];
      const [first] = this.#handed;
      if (next === undefined || first === undefined) return;
      this.#handed.shift();
      this.#kept = { parts: this.kept + 1, chain: link(this.#kept.chain, next), digest: first.digest };
    }
  }

  /** The points from which another process could resume, if it finds the parts there. */
  boundaries(): readonly Boundary[] {
    const found = this.kept === 0 ? [] : [this.#kept];
    if (!this.#isExpected) return found;
    let { parts, chain } = this.#kept;
    for (const { etag, digest } of this.#handed) {
      parts += 1;
      chain = link(chain, etag);
      found.push({ parts, chain, digest });
    }
    return found;
  }
}

/**
 * The furthest of `boundaries` whose parts the server really has: all of them, of the right length, with these very ETags.
 * @param sizeOf the length that the part with this number must have
 * @param listed the server's parts, in order of their numbers
 */
export async function furthest(
  boundaries: readonly Boundary[],
  sizeOf: (number: number) => number,
  listed: AsyncIterable<ListedPart>,
): Promise<{ boundary: Boundary; etags: readonly string[] } | undefined> {
  const last = Math.max(...boundaries.map(({ parts }) => parts));
  const etags: string[] = [];
  let chain = NO_PARTS;
  let found: Boundary | undefined;
  for await (const { number, size, etag } of listed) {
    if (number > last || number !== etags.length + 1 || size !== sizeOf(number)) break;
    chain = link(chain, etag);
    etags.push(etag);
    found = boundaries.find((each) => each.parts === number && each.chain === chain) ?? found;
  }
  return found && { boundary: found, etags: etags.slice(0, found.parts) };
}
