import { Limiter } from '../../flow/limiter.ts';
import type { RateLimiter } from '../../flow/rate-limiter.ts';
import { TaskGroup } from '../../flow/task-group.ts';
import { type ErrorCode, IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { JobState, PackedArchive, PackedPart, PackRecord, PartRecord } from '../state/job-state.ts';
import type { ArchiveAttributes, BackupTarget, StoredPart, TargetUpload } from '../target/target.ts';
import { attempting } from './attempts.ts';
import type { Spool } from './spool.ts';

/** Parts of one target under way at a time: one waits for its answer while others are sent. Killed, so much is sent again. */
const PARTS_AT_ONCE = 4;
/** The same in bytes, for each is in memory; one part at least. */
const BYTES_AT_ONCE = 64 * 1024 * 1024;
/** What a person mends, beside what passes: the upload goes on in a later run. */
const MENDED: ReadonlySet<ErrorCode> = new Set([
  'STORE_REFUSED',
  'STORE_MISSING',
  'STORE_FULL',
  'CLOCK_SKEW',
  'CONFIG_INVALID',
  'TLS_FAILED',
]);

export interface LaneOptions {
  readonly pack: PackRecord;
  readonly attributes: Pick<ArchiveAttributes, 'tags' | 'metadata'>;
  readonly state: JobState;
  readonly spool: Spool;
  /** Of all targets together. */
  readonly limiter: RateLimiter | undefined;
  readonly log: Log;
  /** Ends it as it is: a later one goes on. */
  readonly signal: AbortSignal;
  readonly onRetry?: ((error: IsyncError) => void) | undefined;
  /** Called when it has failed. */
  readonly onStop: () => void;
}

/**
 * `active`, then `complete`, or after an error `stopped`, where a later run can go on, or `failed`. Stopped, its parts stay in the spool
 * until it is given up.
 */
export type LaneStatus = 'active' | 'stopped' | 'failed' | 'complete';

/** The upload of an archive to one target. Nothing here rejects: what fails, fails for this target. */
export class Lane {
  readonly name: string;
  /** Resolves when it is known what the target has. */
  readonly begun: Promise<void>;
  readonly #target: BackupTarget;
  readonly #options: LaneOptions;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #stop = new AbortController();
  readonly #tasks = new TaskGroup();
  readonly #width: Limiter;
  /** Parts that the target has, by number. */
  readonly #done = new Map<number, { readonly md5: string; readonly etag: string }>();
  /** Memory of parts that have been sent, for those that come. */
  readonly #rooms: Buffer[] = [];
  #upload: TargetUpload | undefined;
  #status: LaneStatus = 'active';
  #error: Error | undefined;

  constructor(target: BackupTarget, options: LaneOptions) {
    const { pack, state, log, signal } = options;
    this.name = target.name;
    this.#target = target;
    this.#options = options;
    this.#log = log.with({ target: target.name });
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
    this.#width = new Limiter(
      Math.max(1, Math.min(PARTS_AT_ONCE, Math.floor(BYTES_AT_ONCE / pack.partBytes))),
    );
    const before = state.targets.upload(target.name, pack.version);
    if (before?.outcome === 'complete') this.#status = 'complete';
    if (before?.outcome === 'failed') {
      this.#status = 'failed';
      this.#error = new IsyncError('STORE_FAILED', 'the upload has failed before', {
        path: pack.name,
        retryable: false,
      });
    }
    this.begun = this.#status === 'active' ? this.#guard(() => this.#begin()) : Promise.resolve();
  }

  get status(): LaneStatus {
    return this.#status;
  }

  /** What it has failed with. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Whether parts are kept for it. */
  get isWanting(): boolean {
    return this.#status === 'active' || this.#status === 'stopped';
  }

  /** Whether the target has that very part, by what is known of it. */
  has({ number, md5 }: PackedPart): boolean {
    return this.#done.get(number)?.md5 === md5;
  }

  /** Sends a part of the spool, which is held for this lane, where the target does not have it. */
  offer(part: PackedPart): void {
    this.#tasks.add(this.#width.run(() => this.#guard(() => this.#send(part), part)));
  }

  /** All of its parts have been offered. Resolves when the archive is complete, or has failed. */
  async finish({ size }: PackedArchive): Promise<void> {
    await this.idle();
    if (this.#status === 'active') await this.#guard(() => this.#complete(size));
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.begun;
    await this.#tasks.idle();
  }

  /** A stopped one lets its parts go: a later run can't go on with it. */
  giveUp(): void {
    if (this.#status === 'stopped') this.#end('failed');
  }

  async #begin(): Promise<void> {
    const { pack, state, attributes } = this.#options;
    const { version, name: key, partBytes } = pack;
    const before = state.targets.upload(this.name, version);
    if (before !== undefined && before.id !== '') {
      const records = state.targets.parts(this.name, version);
      const options = { signal: this.#signal };
      const stored = await this.#attempt('list parts', () => this.#target.parts(before, options));
      if (stored !== undefined) {
        this.#recall(records, stored);
        this.#upload = { key: before.key, id: before.id };
        return;
      }
      if (await this.#isMade()) return this.#end('complete');
    }
    const given = { ...attributes, partBytes };
    const id = await this.#attempt('begin an upload', () =>
      this.#target.begin(key, given, { signal: this.#signal }),
    );
    state.targets.beginUpload(this.name, { version, key, id });
    this.#upload = { key, id };
  }

  /** Whether the upload is gone because it has become the archive: a killed process did not get to write it down. */
  async #isMade(): Promise<boolean> {
    const { packed, name: key } = this.#options.pack;
    if (packed === undefined) return false;
    const options = { signal: this.#signal };
    const found = await this.#attempt('look for an archive', () => this.#target.head(key, options));
    return found?.size === packed.size;
  }

  /** What the target has is done, also where its answer did not come: many use the MD5 of a part as its ETag. */
  #recall(records: readonly PartRecord[], stored: ReadonlyMap<number, StoredPart>): void {
    for (const part of records) {
      const { number, size, md5, status, etag } = part;
      const found = stored.get(number);
      if (found?.size !== size || found.etag !== (status === 'done' ? etag : md5)) continue;
      if (status !== 'done') this.#record(part, 'done', found.etag);
      this.#done.set(number, { md5, etag: found.etag });
    }
  }

  async #send(part: PackedPart): Promise<void> {
    await this.begun;
    const upload = this.#upload;
    if (this.#status !== 'active' || upload === undefined) return;
    const { spool, limiter } = this.#options;
    const { number, size, md5: hex } = part;
    if (!this.has(part)) {
      const room = this.#rooms.pop() ?? Buffer.allocUnsafeSlow(Math.max(size, this.#options.pack.partBytes));
      const bytes = await spool.read(part, room);
      const md5 = Buffer.from(hex, 'hex').toString('base64');
      const signal = this.#signal;
      const etag = await this.#attempt(`put part ${number}`, async () => {
        await limiter?.ready({ signal });
        limiter?.spend(bytes.length);
        return await this.#target.putPart(upload, { number, bytes, md5 }, { signal });
      });
      this.#record(part, 'done', etag);
      this.#done.set(number, { md5: hex, etag });
      // After a failure some of it may be under way still.
      this.#rooms.push(room);
    }
    spool.release(number, this);
  }

  async #complete(size: number): Promise<void> {
    const upload = this.#upload;
    const { pack, attributes } = this.#options;
    const parts = Math.max(1, Math.ceil(size / pack.partBytes));
    const etags = Array.from({ length: parts }, (_, index) => this.#done.get(index + 1)?.etag);
    const known = etags.filter((etag) => etag !== undefined);
    if (upload === undefined || known.length < parts)
      throw new IsyncError('INTERNAL', 'an upload without all of its parts', { path: pack.name });
    const options = { signal: this.#signal, tags: attributes.tags };
    await this.#attempt('complete an upload', () => this.#target.complete(upload, known, size, options));
    this.#end('complete');
  }

  async #attempt<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const { onRetry } = this.#options;
    return await attempting(what, attempt, { log: this.#log, signal: this.#signal, onRetry });
  }

  async #guard(run: () => Promise<void>, part?: PackedPart): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#fail(error, part);
    }
  }

  #fail(cause: unknown, part: PackedPart | undefined): void {
    // Interrupted, it has not failed. And of several parts that fail, the first one counts.
    if (this.#options.signal.aborted || this.#status !== 'active') return;
    const error = toIsyncError(cause, 'INTERNAL', { path: this.#options.pack.name });
    this.#error = error;
    this.#status = 'stopped';
    this.#stop.abort(error);
    this.#log.error('a backup target has failed', { err: error });
    try {
      if (part !== undefined) this.#record(part, 'failed');
      if (!error.retryable && !MENDED.has(error.code)) this.#end('failed');
    } catch (failed) {
      this.#log.error('the state of a job fails', { err: failed });
    }
    this.#options.onStop();
  }

  #end(outcome: 'complete' | 'failed'): void {
    const { pack, state, spool } = this.#options;
    const { version, name: key } = pack;
    if (state.targets.upload(this.name, version) === undefined)
      state.targets.beginUpload(this.name, { version, key, id: '' });
    state.targets.endUpload(this.name, version, outcome);
    this.#status = outcome;
    spool.releaseAll(this);
  }

  #record({ number, size, md5 }: PackedPart, status: PartRecord['status'], etag?: string): void {
    const { pack, state } = this.#options;
    const changedMs = Date.now();
    state.targets.setPart(this.name, pack.version, { number, size, md5, status, etag, changedMs });
  }
}
