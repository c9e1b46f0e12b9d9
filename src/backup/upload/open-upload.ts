import type { Bandwidth } from '../../flow/bandwidth.ts';
import { createRateLimiter } from '../../flow/rate-limiter.ts';
import { Wakeup } from '../../flow/wake-up.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import { MAX_PARTS } from '../../s3/multipart.ts';
import type { ByteSink } from '../pack/pack.ts';
import type { JobState, PackedArchive, PackedPart, PackRecord } from '../state/job-state.ts';
import type { ArchiveAttributes, BackupTarget } from '../target/target.ts';
import { Lane } from './lane.ts';
import { MAX_ARCHIVE_BYTES } from './part-bytes.ts';
import { Spool, type SpoolFile } from './spool.ts';
import type { ArchiveUpload, UploadOutcome } from './uploads.ts';

export interface UploadRequest {
  /** In the state already; its name is the key of the archive. */
  readonly pack: PackRecord;
  /** Those of the pack, as long as the job has them. */
  readonly targets: readonly BackupTarget[];
  readonly attributes: Pick<ArchiveAttributes, 'tags' | 'metadata'>;
  readonly state: JobState;
  /** Of the job, with room for this many bytes of parts. */
  readonly stateDir: string;
  readonly spoolBytes: number;
  /** Bytes a second, of all targets together; a part goes as a whole, and the next one waits for longer. */
  readonly bwlimit: Bandwidth | undefined;
  /** Says which run it is. */
  readonly log: Log;
  /** Interrupts it, so that a later one can go on. */
  readonly signal: AbortSignal;
  /** Called with each error after which a request is made again. Must not throw. */
  readonly onRetry?: ((error: IsyncError) => void) | undefined;
}

/**
 * Begins to upload an archive, or goes on where a run before has ended. The run lock is held.
 * @throws IsyncError STORE_MISSING, STORE_FULL, STORE_FAILED of the spool or the state
 */
export async function openArchiveUpload(request: UploadRequest): Promise<ArchiveUpload> {
  const room = new Wakeup();
  const { stateDir, spoolBytes: mostBytes, pack } = request;
  const { version } = pack;
  const spool = await Spool.open({ stateDir, version, mostBytes, onRoom: () => room.wake() });
  const upload = new Upload(request, spool, room);
  try {
    await upload.resume();
  } catch (error) {
    await upload[Symbol.asyncDispose]();
    throw error;
  }
  return upload;
}

class Upload implements ArchiveUpload {
  readonly sink: ByteSink = { write: async (bytes) => await this.#write(bytes) };
  readonly #request: UploadRequest;
  readonly #pack: PackRecord;
  readonly #spool: Spool;
  readonly #lanes: readonly Lane[];
  /** Woken when the spool has more room, and when a target fails. */
  readonly #change: Wakeup;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  /** Parts that may have left, in this run or before, by number. */
  readonly #known: Map<number, PackedPart>;
  #isPacked = false;
  #isOverflowed: boolean;
  #file: SpoolFile | undefined;
  /** Number of the part that was begun last, and bytes of all before it. */
  #number = 0;
  #bytes = 0;

  constructor(request: UploadRequest, spool: Spool, change: Wakeup) {
    const { pack, state, bwlimit, signal, targets } = request;
    this.#request = request;
    this.#pack = pack;
    this.#spool = spool;
    this.#change = change;
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
    this.#known = new Map(state.packs.parts(pack.version));
    this.#isOverflowed = pack.isOverflowed;
    const options = {
      ...request,
      spool,
      limiter: bwlimit === undefined ? undefined : createRateLimiter(() => bwlimit),
      signal: this.#signal,
      onStop: () => change.wake(),
    };
    this.#lanes = targets.map((target) => new Lane(target, options));
  }

  get isPacked(): boolean {
    return this.#isPacked;
  }

  /** Offers what lies in the spool, where that is all that is missing. */
  async resume(): Promise<void> {
    const { packed } = this.#pack;
    if (packed === undefined) {
      await this.#spool.keep([]);
      return;
    }
    await Promise.all(this.#lanes.map(async (lane) => await lane.begun));
    this.#signal.throwIfAborted();
    const parts = [...this.#known.values()].slice(0, this.#countOf(packed));
    const wanting = this.#lanes.filter(({ isWanting }) => isWanting);
    const lacking = parts.filter((part) => wanting.some((lane) => !lane.has(part)));
    const kept = await this.#spool.keep(lacking);
    this.#isPacked = wanting.every(
      (lane) => lane.status !== 'active' || parts.every((part) => lane.has(part) || kept.has(part.number)),
    );
    if (!this.#isPacked) {
      await this.#spool.keep([]);
      return;
    }
    for (const part of lacking.filter(({ number }) => kept.has(number)))
      this.#offer(
        part,
        wanting.filter((lane) => !lane.has(part)),
      );
  }

  async finish(archive: PackedArchive): Promise<readonly UploadOutcome[]> {
    this.#signal.throwIfAborted();
    if (!this.#isPacked) await this.#end(archive);
    await Promise.all(this.#lanes.map(async (lane) => await lane.finish(archive)));
    this.#signal.throwIfAborted();
    if (!this.#lanes.some(({ isWanting }) => isWanting)) await this.#clear();
    return this.#lanes.map(({ name: target, error, isWanting: isResumable }) => ({
      target,
      error,
      isResumable,
    }));
  }

  /** What has not been packed to its end is packed again, and of no use in the spool. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new IsyncError('INTERRUPTED', 'the upload has been closed'));
    await Promise.all(this.#lanes.map(async (lane) => await lane.idle()));
    const file = this.#file;
    this.#file = undefined;
    // A part that was begun is of no use, whatever becomes of it.
    await file?.close().catch(() => undefined);
    await this.#spool[Symbol.asyncDispose]();
    if (!this.#isPacked) await this.#clear();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#check();
    const { partBytes } = this.#pack;
    for (let at = 0; at < bytes.length;) {
      const file = await this.#openPart();
      const piece = bytes.subarray(at, at + partBytes - file.size);
      await this.#local(() => file.append(piece));
      at += piece.length;
      if (file.size === partBytes) await this.#closePart(file);
    }
  }

  async #openPart(): Promise<SpoolFile> {
    if (this.#file !== undefined) return this.#file;
    if (this.#number === MAX_PARTS || this.#bytes >= MAX_ARCHIVE_BYTES)
      throw new IsyncError('FILE_TOO_LARGE', 'the archive has become larger than an object can be', {
        path: this.#pack.name,
        hint: 'Its sources have grown while it was packed: run it again, or make several jobs of it.',
      });
    await this.#untilRoom();
    const file = await this.#local(() => this.#spool.create(this.#number + 1));
    this.#number += 1;
    this.#file = file;
    return file;
  }

  async #closePart(file: SpoolFile): Promise<void> {
    this.#file = undefined;
    const part = await this.#local(() => file.end());
    this.#bytes += part.size;
    const before = this.#known.get(part.number);
    if (before !== undefined && before.md5 !== part.md5 && this.#isFixed()) throw this.#changed();
    const wanting = this.#lanes.filter(({ isWanting }) => isWanting);
    const names = wanting.map(({ name }) => name);
    this.#request.state.packs.addPart(this.#pack.version, part, names);
    this.#known.set(part.number, part);
    this.#offer(part, wanting);
  }

  #offer(part: PackedPart, lanes: readonly Lane[]): void {
    this.#spool.hold(part, lanes);
    for (const lane of lanes) lane.offer(part);
  }

  /** After the last byte. */
  async #end(archive: PackedArchive): Promise<void> {
    if (this.#number === 0) await this.#openPart();
    if (this.#file !== undefined) await this.#closePart(this.#file);
    const { packed, version } = this.#pack;
    const isOther =
      this.#known.size > this.#number || (packed !== undefined && packed.sha256 !== archive.sha256);
    if (isOther && this.#isFixed()) throw this.#changed();
    this.#request.state.packs.packed(version, archive);
    this.#isPacked = true;
  }

  /** Waits until the spool has room for one more part. */
  async #untilRoom(): Promise<void> {
    while (!this.#spool.hasRoom(this.#pack.partBytes)) {
      if (!this.#isOverflowed) this.#request.state.packs.overflowed(this.#pack.version);
      this.#isOverflowed = true;
      // Where nobody goes on, a later run does, with all of them.
      this.#check();
      // Those that go on must not wait for those that don't.
      const stopped = this.#lanes.filter(({ status }) => status === 'stopped');
      for (const lane of stopped) lane.giveUp();
      await this.#change.sleep(Infinity, this.#signal);
    }
    this.#check();
  }

  /** Whether no other bytes may go under this name: see SealSecrets; and an archive that is complete is not replaced. */
  #isFixed(): boolean {
    return this.#pack.secrets !== undefined || this.#lanes.some(({ status }) => status === 'complete');
  }

  #changed(): IsyncError {
    return new IsyncError('FILE_CHANGED', 'the archive is another one than before it was interrupted', {
      path: this.#pack.name,
    });
  }

  /** Rejects once nobody takes anything. */
  #check(): void {
    this.#signal.throwIfAborted();
    if (this.#lanes.some(({ status }) => status === 'active' || status === 'complete')) return;
    throw (
      this.#lanes.findLast(({ error }) => error !== undefined)?.error ??
      new IsyncError('INTERNAL', 'an upload without a target', { path: this.#pack.name })
    );
  }

  /** What fails at this machine ends it for all targets, and gives the room back. */
  async #local<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      this.#stop.abort(error);
      throw error;
    }
  }

  /** What is left of it is pruned later. */
  async #clear(): Promise<void> {
    await this.#spool.remove().catch((err: unknown) => {
      this.#request.log.warn('the spool of a job is not cleared', { err });
    });
  }

  #countOf({ size }: PackedArchive): number {
    return Math.max(1, Math.ceil(size / this.#pack.partBytes));
  }
}
