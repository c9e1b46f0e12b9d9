import type { KnownObject, PullState } from '../state/pull-state.ts';

/** How long it counts that something could be read, or nothing could, in ms: removals come in thousands. */
const BELIEVED_MS = 3000;
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
  readonly #found = new Map<string, { readonly at: number; readonly access: Promise<Access> }>();

  /** @param canRead resolves to whether S3 gives this object, changed or not; false where it refuses */
  constructor(state: PullState, canRead: (witness: KnownObject) => Promise<boolean>) {
    this.#state = state;
    this.#canRead = canRead;
  }

  /** Notes that an object below `prefix` has just been read. */
  works(bucket: string, prefix: string): void {
    this.#remember(`${bucket}/${prefix}`, Promise.resolve('works'));
  }

  /** Looks at other keys below `prefix`; where there are none, at those of the whole bucket. */
  async of(bucket: string, prefix: string, except: string): Promise<Access> {
    const id = `${bucket}/${prefix}`;
    const known = this.#found.get(id);
    if (known !== undefined && performance.now() - known.at < BELIEVED_MS) return await known.access;
    const access = this.#look(bucket, prefix, except);
    this.#remember(id, access);
    // Trouble with the network says nothing.
    access.catch(() => void this.#found.delete(id));
    return await access;
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

  /** The first, second, fourth, … of the known keys: of a folder that was removed as a whole none can be read. */
  *#witnesses(bucket: string, prefix: string, except: string): Generator<KnownObject> {
    let position = 0;
    let next = 1;
    for (const known of this.#state.list(bucket, prefix)) {
      if (known.key === except) continue;
      position += 1;
      if (position < next) continue;
      yield known;
      next *= 2;
      if (next > FARTHEST) return;
    }
  }

  #remember(id: string, access: Promise<Access>): void {
    const [oldest] = this.#found.keys();
    if (this.#found.size >= MAX_PREFIXES && oldest !== undefined) this.#found.delete(oldest);
    this.#found.set(id, { at: performance.now(), access });
  }
}
