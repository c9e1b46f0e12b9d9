import { createHash } from 'node:crypto';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { isAllZeros } from '../../model/damage.ts';
import { checkDigest } from '../check-digest.ts';
import type { Incoming } from '../rules/damage-rule.ts';
import { digestOfZeros } from '../digest-of-zeros.ts';
import type { S3Bucket, PartBody } from './bucket.ts';
import type { UploadKey } from '../../s3/upload-key.ts';
import { uploadOf } from './metadata.ts';
import type { Lease, PartBuffers } from './part-buffers.ts';
import { PartLedger, type Boundary } from './part-ledger.ts';
import { cutInto } from './part-plan.ts';
import type { ResumableDigester } from './resumable-digest.ts';
import { isRefusal, s3Error } from '../../s3/errors.ts';
import type { UploadBody } from './s3-upload.ts';
import { StateKeeper } from './state-keeper.ts';
import type { UploadState } from './upload-state.ts';

/**
 * Parts of one upload that await their answer at a time, which hides the server's answer times. Their bodies travel one
 * after the other: what has been sent whole arrives though this process be killed, so that but one part is cut and must
 * be sent again, and the one that was being filled.
 */
const PARTS_AT_ONCE = 4;
/** Parts that may be handed over beyond one that is not kept yet: the state tells of each of them. */
const PARTS_AHEAD = 16;

export interface MultipartOptions {
  readonly file: FileEntry;
  readonly bucket: S3Bucket;
  readonly buffers: PartBuffers;
  readonly upload: UploadKey;
  readonly stateKey: string;
  /** Without boundaries, which grow with the upload. */
  readonly state: Omit<UploadState, 'boundaries'>;
  /** Where an earlier process came to. */
  readonly from?: { readonly boundary: Boundary; readonly etags: readonly string[] } | undefined;
  /** Has seen the bytes up to there. */
  readonly digester: ResumableDigester;
  /** Rejects where the complete file must not replace what is kept. */
  readonly mayReplace: (incoming: Incoming) => Promise<void>;
}

/**
 * A file in parts. They are filled one after the other, travel some at a time, and may arrive in any order.
 *
 * Two processes may be at the same upload: a receiver whose session broke without its noticing, and the one that the
 * device has come back to. Both have the path, size and mtime that the upload is known by, both cut it alike (the state
 * says how), and each part is put whole under its number: who comes second puts the same bytes again. Where the bytes
 * differ nonetheless, the file is completed with the ETags of the parts that we have put ourselves, and the server
 * refuses a part with another one. When either completes or throws away the upload, the other one's next request
 * fails, and is tried again from the start, where the file is found complete or begun anew.
 */
export class MultipartBody implements UploadBody {
  readonly #options: MultipartOptions;
  readonly #ledger: PartLedger;
  readonly #keeper: StateKeeper;
  readonly #partBytes: number;
  readonly #parts: number;
  readonly #stop = new AbortController();
  readonly #onTheWay = new Set<Promise<void>>();
  /** Resolves when the body of the last part handed over begins to leave. */
  #begun: Promise<void> = Promise.resolve();
  /** Resolves when it has left, or never will. */
  #sent: Promise<void> = Promise.resolve();
  #md5 = createHash('md5');
  #filling: Lease | undefined;
  #filled = 0;
  #offset: number;
  /** Of the bytes that this process has seen. */
  #allZeros = true;
  #failure: IsyncError | undefined;
  /** The server has other parts than those that were put. */
  #spoilt = false;

  constructor(options: MultipartOptions) {
    const { file, bucket, stateKey, state, from } = options;
    this.#options = options;
    ({ partBytes: this.#partBytes, parts: this.#parts } = cutInto(file.size, state.partBytes));
    this.#ledger = new PartLedger(from?.boundary, from?.etags);
    this.#keeper = new StateKeeper(bucket, stateKey, () => ({
      ...state,
      boundaries: [...this.#ledger.boundaries()],
    }));
    this.#offset = Math.min(file.size, this.#ledger.kept * this.#partBytes);
  }

  get offset(): number {
    return this.#offset;
  }

  async ready(): Promise<void> {
    this.#filling ??= await this.#nextBuffer();
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#checkSound();
    for (let at = 0; at < bytes.length;) {
      const lease = (this.#filling ??= await this.#nextBuffer());
      this.#checkSound();
      const room = this.#bytesOf(this.#ledger.handed) - this.#filled;
      const piece = bytes.subarray(at, at + room);
      lease.touch();
      lease.bytes.set(piece, this.#filled);
      this.#allZeros &&= isAllZeros(piece);
      this.#md5.update(piece);
      this.#options.digester.update(piece);
      this.#filled += piece.length;
      this.#offset += piece.length;
      at += piece.length;
      if (piece.length === room) this.#handOver(lease);
    }
  }

  async publish(digest: Uint8Array): Promise<void> {
    const { file, digester, state, mayReplace } = this.#options;
    try {
      await this.#settled();
      this.#checkSound();
      checkDigest(file, this.#offset, digester.digest(), digest);
      const allZeros = await this.#isAllZeros(digest);
      await mayReplace({ file, digest: { algorithm: state.algorithm, value: digest }, allZeros });
      await this.#keeper.idle();
      await this.#complete();
    } catch (error) {
      const reason = toIsyncError(error, 'INTERNAL', { path: file.path });
      const isOfUse = reason.retryable && reason.code !== 'DIGEST_MISMATCH' && !this.#spoilt;
      await this.letGo(isOfUse).catch(() => {
        // The reason is what counts; what stays behind is collected one day.
      });
      throw reason;
    }
    await this.#keeper.remove().catch(() => {
      // The file is published; its state is collected one day.
    });
  }

  async letGo(keep: boolean): Promise<void> {
    const { bucket, upload, file } = this.#options;
    if (!keep)
      this.#stop.abort(new IsyncError('INTERRUPTED', 'the upload was thrown away', { path: file.path }));
    this.#filling?.release();
    this.#filling = undefined;
    await this.#settled();
    if (keep) {
      if (this.#ledger.handed > 0) this.#keeper.changed();
      await this.#keeper.kept();
      return;
    }
    await bucket.abort(upload, { path: file.path });
    await this.#keeper.remove();
  }

  #checkSound(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** What an earlier process has put was not seen by us; the digest of the whole tells. */
  async #isAllZeros(digest: Uint8Array): Promise<boolean> {
    const { file, state, from } = this.#options;
    if (!this.#allZeros || from === undefined) return this.#allZeros;
    return (await digestOfZeros(state.algorithm, file.size)).equals(digest);
  }

  /** Bytes of the part with this index. */
  #bytesOf(index: number): number {
    return index + 1 < this.#parts ? this.#partBytes : this.#options.file.size - index * this.#partBytes;
  }

  /** Waits until the part before is leaving, another one may travel, and there is memory for it. */
  async #nextBuffer(): Promise<Lease> {
    const isAhead = (): boolean => this.#ledger.handed - this.#ledger.kept >= PARTS_AHEAD;
    while (this.#failure === undefined && (this.#onTheWay.size >= PARTS_AT_ONCE || isAhead()))
      await Promise.race(this.#onTheWay);
    await this.#begun;
    this.#checkSound();
    const revoked = (error: IsyncError): void => {
      this.#filling = undefined;
      this.#failure ??= error;
    };
    return this.#options.buffers.take(this.#partBytes, revoked, this.#ledger.handed > 0);
  }

  #handOver(lease: Lease): void {
    lease.pin();
    const md5 = this.#md5.digest();
    const bytes = lease.bytes.subarray(0, this.#filled);
    this.#ledger.handOver(md5.toString('hex'), this.#options.digester.save());
    this.#keeper.changed();
    const sent = Promise.withResolvers<void>();
    const body = { bytes, md5: md5.toString('base64'), sent: sent.resolve };
    const put = this.#put(this.#ledger.handed, body, this.#sent).finally(() => {
      sent.resolve();
      lease.release();
      this.#onTheWay.delete(put);
    });
    this.#onTheWay.add(put);
    this.#begun = this.#sent;
    this.#sent = sent.promise;
    this.#md5 = createHash('md5');
    this.#filling = undefined;
    this.#filled = 0;
  }

  /** Never rejects: the next write tells. */
  async #put(number: number, body: PartBody, before: Promise<void>): Promise<void> {
    const { bucket, upload, file } = this.#options;
    const { signal } = this.#stop;
    await before;
    try {
      const { etag } = await bucket.putPart(upload, number, body, { signal, path: file.path });
      this.#ledger.arrived(number, etag);
    } catch (error) {
      this.#failure ??= toIsyncError(error, 'INTERNAL', { path: file.path });
    }
  }

  /** Resolves when no part is on its way any more. */
  async #settled(): Promise<void> {
    await Promise.all(this.#onTheWay);
  }

  async #complete(): Promise<void> {
    const { bucket, upload, file, state } = this.#options;
    const { path } = file;
    let failure: unknown;
    try {
      await bucket.complete(upload, this.#ledger.etags);
    } catch (error) {
      failure = error;
    }
    // Also after a failure: it may be that of the answer alone, or of a second try whose first one has succeeded.
    const head = await bucket.head(upload.key, { path });
    const isOurs = head !== undefined && uploadOf(head.metadata) === state.nonce;
    if (isOurs && head.size === file.size) return;
    if (failure !== undefined && isRefusal(failure)) {
      // Parts of other bytes, or none: the next try begins anew.
      this.#spoilt = true;
      throw new IsyncError('STORE_FAILED', s3Error(failure, bucket.where).message, {
        path,
        cause: failure,
      });
    }
    if (failure !== undefined) throw s3Error(failure, bucket.where, path);
    // Another version of the file may have been published right after ours.
    if (head !== undefined && uploadOf(head.metadata) !== undefined && !isOurs) return;
    // Or the server has not kept our metadata.
    if (head?.size === file.size) return;
    throw new IsyncError('STORE_FAILED', `${head?.size ?? 'no'} bytes are kept where ${file.size} were put`, {
      path,
    });
  }
}
