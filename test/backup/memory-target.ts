import { createHash, randomUUID } from 'node:crypto';
import type { Abortable } from '../../src/model/abortable.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import type { ObjectLock } from '../../src/backup/job.ts';
import type { ByteRanges } from '../../src/backup/pack/byte-ranges.ts';
import type {
  BackupTarget,
  StoredPart,
  TargetObject,
  TargetPart,
  TargetUpload,
} from '../../src/backup/target/target.ts';

interface Held extends TargetObject {
  readonly bytes: Buffer;
  lockedUntilMs: number | undefined;
}

interface Upload extends TargetUpload {
  readonly startedMs: number;
  readonly parts: Map<number, { readonly bytes: Buffer; readonly etag: string }>;
}

/** A store in memory. For tests of what works with targets; `objects` may be damaged by hand. */
export class MemoryTarget implements BackupTarget {
  readonly name: string;
  readonly capabilities;
  readonly objects = new Map<string, Held>();
  /** Every call, in order: `putPart 3 KEY`. */
  readonly calls: string[] = [];
  /** Called before each call, with its text: throws what the call shall fail with. */
  before: (call: string) => void = () => undefined;
  /** Called before a part is kept, with the text of its call: how long that waits. */
  hold: (call: string) => Promise<void> | undefined = () => undefined;
  clockAheadMs: number | undefined = 0;
  readonly #uploads = new Map<string, Upload>();
  /** Uploads that were completed, whose completion may be repeated. */
  readonly #completed = new Map<string, TargetObject>();

  constructor({ name = 'memory', lock }: { readonly name?: string; readonly lock?: ObjectLock } = {}) {
    this.name = name;
    this.capabilities = { lock, leastPartBytes: 1, mostPartBytes: 2 ** 30 };
  }

  async *list({ signal }: Abortable = {}): AsyncGenerator<TargetObject> {
    signal?.throwIfAborted();
    this.#call('list');
    for (const object of this.objects.values()) yield told(object);
  }

  async head(key: string): Promise<TargetObject | undefined> {
    this.#call(`head ${key}`);
    const found = this.objects.get(key);
    return found && told(found);
  }

  async read(key: string): Promise<ByteRanges | undefined> {
    this.#call(`read ${key}`);
    const found = this.objects.get(key);
    if (found === undefined) return undefined;
    const { etag } = found;
    const call = (start: number, end: number): void => this.#call(`range ${start}-${end} ${key}`);
    const now = (): Held | undefined => this.objects.get(key);
    return {
      size: found.size,
      read: async function* (start, end) {
        call(start, end);
        const current = now();
        if (current?.etag !== etag) throw new IsyncError('FILE_CHANGED', 'another object', { path: key });
        if (end > current.bytes.length) throw new IsyncError('LINK_LOST', 'fewer bytes', { path: key });
        if (end > start) yield current.bytes.subarray(start, end);
      },
    };
  }

  async put(key: string, bytes: Uint8Array, { signal }: Abortable = {}): Promise<void> {
    signal?.throwIfAborted();
    this.#call(`put ${key}`);
    this.#keep(key, Buffer.from(bytes));
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    this.#call(`putIfAbsent ${key}`);
    if (this.objects.has(key)) return false;
    this.#keep(key, Buffer.from(bytes));
    return true;
  }

  async begin(key: string): Promise<string> {
    this.#call(`begin ${key}`);
    const id = randomUUID();
    this.#uploads.set(id, { key, id, startedMs: Date.now(), parts: new Map() });
    return id;
  }

  async putPart({ key, id }: TargetUpload, { number, bytes, md5 }: TargetPart): Promise<string> {
    this.#call(`putPart ${number} ${key}`);
    await this.hold(`putPart ${number} ${key}`);
    const upload = this.#uploads.get(id);
    if (upload === undefined) throw new IsyncError('MISSING', 'no such upload', { path: key });
    const hash = createHash('md5').update(bytes).digest();
    if (hash.toString('base64') !== md5) throw new IsyncError('DIGEST_MISMATCH', 'damaged', { path: key });
    const etag = hash.toString('hex');
    upload.parts.set(number, { bytes: Buffer.from(bytes), etag });
    return etag;
  }

  async parts({ key, id }: TargetUpload): Promise<ReadonlyMap<number, StoredPart> | undefined> {
    this.#call(`parts ${key}`);
    const parts = this.#uploads.get(id)?.parts;
    return (
      parts && new Map([...parts].map(([number, { bytes, etag }]) => [number, { size: bytes.length, etag }]))
    );
  }

  async complete({ key, id }: TargetUpload, etags: readonly string[], size: number): Promise<TargetObject> {
    this.#call(`complete ${key}`);
    const done = this.#completed.get(id);
    if (done?.size === size) return done;
    const upload = this.#uploads.get(id);
    if (upload === undefined) throw new IsyncError('MISSING', 'no such upload', { path: key });
    const parts = etags.map((etag, index) => {
      const part = upload.parts.get(index + 1);
      if (part?.etag !== etag) throw new IsyncError('STORE_FAILED', 'another part', { path: key });
      return part.bytes;
    });
    const bytes = Buffer.concat(parts);
    if (bytes.length !== size)
      throw new IsyncError('DIGEST_MISMATCH', 'another size', { path: key, retryable: false });
    this.#uploads.delete(id);
    const object = told(this.#keep(key, bytes, false));
    this.#completed.set(id, object);
    return object;
  }

  async abort({ key, id }: TargetUpload): Promise<void> {
    this.#call(`abort ${key}`);
    this.#uploads.delete(id);
  }

  async *uploads(): AsyncGenerator<TargetUpload & { readonly startedMs: number }> {
    this.#call('uploads');
    for (const { key, id, startedMs } of this.#uploads.values()) yield { key, id, startedMs };
  }

  async remove(key: string): Promise<'removed' | 'locked' | 'absent'> {
    this.#call(`remove ${key}`);
    const found = this.objects.get(key);
    if (found === undefined) return 'absent';
    if ((found.lockedUntilMs ?? 0) > Date.now()) return 'locked';
    this.objects.delete(key);
    return 'removed';
  }

  async lockedUntil(key: string): Promise<number | undefined> {
    this.#call(`lockedUntil ${key}`);
    return this.objects.get(key)?.lockedUntilMs;
  }

  async lock(key: string, _: ObjectLock['mode'], untilMs: number): Promise<void> {
    this.#call(`lock ${key}`);
    const found = this.objects.get(key);
    if (found === undefined) throw new IsyncError('STORE_FAILED', 'no such object', { path: key });
    found.lockedUntilMs = Math.max(found.lockedUntilMs ?? 0, untilMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #keep(key: string, bytes: Buffer, isLocked = true): Held {
    const { lock } = this.capabilities;
    const lockedUntilMs = lock && isLocked ? Date.now() + lock.days * 86_400_000 : undefined;
    const held = {
      key,
      size: bytes.length,
      modifiedMs: Date.now(),
      etag: randomUUID(),
      bytes,
      lockedUntilMs,
    };
    this.objects.set(key, held);
    return held;
  }

  #call(text: string): void {
    this.calls.push(text);
    this.before(text);
  }
}

function told({ key, size, modifiedMs, etag }: Held): TargetObject {
  return { key, size, modifiedMs, etag };
}
