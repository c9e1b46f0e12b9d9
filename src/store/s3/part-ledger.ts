import { createHash } from 'node:crypto';

/** The first `parts` parts of a file: what they are, and the digest of their bytes so far. */
export interface Boundary {
  readonly parts: number;
  /** Of the ETags of these parts; see {@link link}. */
  readonly chain: string;
  /** Saved state of the running digest, base64. */
  readonly digest: string;
}

/** A part as the server lists it. */
export interface ListedPart {
  readonly number: number;
  readonly size: number;
  readonly etag: string;
}

/** The chain of no parts at all. */
const NO_PARTS = '';

/** Ties a part to all before it, so that one short text stands for thousands of ETags. */
function link(chain: string, etag: string): string {
  return createHash('md5').update(`${chain} ${etag}`).digest('hex');
}

/**
 * Which parts have been handed to the server, which of them it has, and from where another process could go on.
 *
 * A boundary is known as soon as its part is handed over, because the ETag of a part is the MD5 of its bytes: so it can
 * be written down while the part travels, and a part that arrives just before we are killed counts all the same. Where
 * a server has other ETags (SSE-KMS) they are known only with its answer.
 */
export class PartLedger {
  readonly #etags: (string | undefined)[];
  /** Of parts beyond `#kept`, in order. */
  #handed: { readonly etag: string; readonly digest: string }[] = [];
  #kept: Boundary;
  #foretold = true;

  constructor(start?: Boundary, etags: readonly string[] = []) {
    this.#kept = start ?? { parts: 0, chain: NO_PARTS, digest: '' };
    this.#etags = [...etags];
  }

  /** Parts that the server has, up to the first that it has not. */
  get kept(): number {
    return this.#kept.parts;
  }

  get handed(): number {
    return this.#kept.parts + this.#handed.length;
  }

  /** All ETags, once every part is kept. */
  get etags(): readonly string[] {
    return this.#etags.slice(0, this.kept).map((etag) => etag ?? '');
  }

  /** The next part is on its way; `etag` is foretold, `digest` that of all bytes up to its end. */
  handOver(etag: string, digest: string): void {
    this.#handed.push({ etag, digest });
  }

  /** The server has the part with this number (from 1) and calls it `etag`. */
  arrived(number: number, etag: string): void {
    if (this.#handed[number - this.kept - 1]?.etag !== etag) this.#foretold = false;
    this.#etags[number - 1] = etag;
    for (;;) {
      const next = this.#etags[this.kept];
      const [first] = this.#handed;
      if (next === undefined || first === undefined) return;
      this.#handed.shift();
      this.#kept = { parts: this.kept + 1, chain: link(this.#kept.chain, next), digest: first.digest };
    }
  }

  /** From where another process could go on, if it finds the parts there. */
  boundaries(): readonly Boundary[] {
    const found = this.kept === 0 ? [] : [this.#kept];
    if (!this.#foretold) return found;
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
 * The furthest of `boundaries` that the parts of the server bear out: all there, as long as they should be, with
 * these very ETags. A part of other bytes breaks the chain.
 * @param listed in order of their numbers
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
