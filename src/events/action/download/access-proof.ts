import type { KnownObject, PullState } from '../../state/pull-state.ts';

/** How long it counts that nothing could be read, in ms: removals come in thousands, and nothing goes meanwhile. */
const REFUSED_MS = 3000;
/** How far down the known keys we look for one that can be read: each look is twice as far as the one before. */
const FARTHEST = 16_384;
/** Prefixes remembered, about 200 bytes each. */
const MAX_PREFIXES = 1024;

/** What reading another key told: 'unknown' where there is no other key. */
export type Access = 'works' | 'refused' | 'unknown';

/**
 * Whether objects of a bucket can be read at all just now. Where S3 answers 403 for a missing key, this tells a key that is
 * gone from a bucket that is forbidden.
 */
export class AccessProof {
  readonly #state: PullState;
  readonly #canRead: (witness: KnownObject) => Promise<boolean>;
  readonly #looks = new Map<string, Looks>();
  /** By prefix: the key that was read last, which likely can be read again. */
  readonly #lastRead = new Map<string, string>();

  /** @param canRead resolves to whether S3 gives this object, changed or not; false where it refuses */
  constructor(state: PullState, canRead: (witness: KnownObject) => Promise<boolean>) {
    this.#state = state;
    this.#canRead = canRead;
  }

  /** Notes that a key below `prefix` has been read. */
  read(bucket: string, prefix: string, key: string): void {
    const [oldest] = this.#lastRead.keys();
    if (this.#lastRead.size >= MAX_PREFIXES && oldest !== undefined) this.#lastRead.delete(oldest);
    this.#lastRead.set(`${bucket}/${prefix}`, key);
  }

  /**
   * Looks at other keys below `prefix`; where there are none, at those of the whole bucket. The look begins after the call,
   * because the bucket may have been forbidden a moment ago; calls that wait for one share it.
   */
  async of(bucket: string, prefix: string, except: string): Promise<Access> {
    const id = `${bucket}/${prefix}`;
    const looks = this.#looks.get(id) ?? { refusedAt: -Infinity, running: undefined, next: undefined };
    this.#looks.set(id, looks);
    if (performance.now() - looks.refusedAt < REFUSED_MS) return 'refused';
    looks.next ??= this.#after(looks, () => this.#look(bucket, prefix, except));
    try {
      const access = await looks.next;
      if (access === 'refused') looks.refusedAt = performance.now();
      return access;
    } finally {
      this.#tidy(id, looks);
    }
  }

  async #after(looks: Looks, look: () => Promise<Access>): Promise<Access> {
    await Promise.allSettled([looks.running]);
    looks.running = looks.next;
    looks.next = undefined;
    return await look();
  }

  #tidy(id: string, looks: Looks): void {
    if (looks.next === undefined && this.#looks.size > MAX_PREFIXES) this.#looks.delete(id);
  }

  async #look(bucket: string, prefix: string, except: string): Promise<Access> {
    let access: Access = 'unknown';
    for (const from of prefix === '' ? [''] : [prefix, '']) {
      for (const witness of this.#witnesses(bucket, from, except)) {
        if (await this.#canRead(witness)) return 'works';
        access = 'refused';
      }
      if (access === 'refused') return access;
    }
    return access;
  }

  /** The one that was read last; then the first, second, fourth, … known key: a folder may be removed as a whole. */
  *#witnesses(bucket: string, prefix: string, except: string): Generator<KnownObject> {
    const last = this.#lastRead.get(`${bucket}/${prefix}`);
    const known = last === undefined || last === except ? undefined : this.#state.get(bucket, last);
    if (known !== undefined) yield known;
    let position = 0;
    let next = 1;
    for (const each of this.#state.list(bucket, prefix)) {
      if (each.key === except) continue;
      position += 1;
      if (position < next) continue;
      yield each;
      next *= 2;
      if (next > FARTHEST) return;
    }
  }
}

/** The looks of one prefix. */
interface Looks {
  /** When the last one found that nothing can be read, on the clock of performance.now(). */
  refusedAt: number;
  running: Promise<Access> | undefined;
  /** One that has not begun. */
  next: Promise<Access> | undefined;
}
