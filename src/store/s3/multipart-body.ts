import { createHash } from 'node:crypto';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { isAllZeros } from '../../model/damage.ts';
import { checkDigest } from '../check-digest.ts';
import type { Incoming } from '../rules/damage-rule.ts';
import { digestOfZeros } from '../digest-of-zeros.ts';
import { abortUpload, completeUpload, type PartBody, putPart, type UploadKey } from '../../s3/multipart.ts';
import { headObject } from '../../s3/objects.ts';
import type { OwnObjects } from './own-objects.ts';
import { uploadOf } from './metadata.ts';
import type { Lease, PartBuffers } from './part-buffers.ts';
import { PartLedger, type Boundary } from './part-ledger.ts';
import { cutInto } from './part-plan.ts';
import type { ResumableDigester } from './resumable-digest.ts';
import { isRefusal } from '../../s3/errors.ts';
import type { S3Body } from './s3-body.ts';
import { StateKeeper } from './state-keeper.ts';
import type { UploadState } from './upload-state.ts';

/**
 * Parts of one upload that await their answer at a time, which hides the server's answer times. Their bodies travel one
 * after the other: a part that has been sent whole arrives even when this process is killed. So a kill costs the part on
 * its way and the one being filled, and no more.
 */
const PARTS_AT_ONCE = 4;
/** Parts that may be handed over after one that is not kept yet: the state has an entry for each of them. */
const PARTS_AHEAD = 16;

export interface MultipartOptions {
  readonly file: FileEntry;
  readonly own: OwnObjects;
  readonly buffers: PartBuffers;
  readonly upload: UploadKey;
  readonly stateKey: string;
  /** All of the state but its boundaries, which grow with the upload. */
  readonly state: Omit<UploadState, 'boundaries'>;
  /** The point from which the upload is resumed. */
  readonly from?: { readonly boundary: Boundary; readonly etags: readonly string[] } | undefined;
  /** Has seen the bytes up to that point. */
  readonly digester: ResumableDigester;
  /** Rejects where the complete file must not replace what is kept. */
  readonly mayReplace: (incoming: Incoming) => Promise<void>;
}

/**
 * A file in parts. Parts are filled one after the other, travel a few at a time, and may arrive in any order.
 *
 * Two processes may work on the same upload: a receiver that has not noticed that its session broke, and the one that the
 * device came back to. Both know it by path, size and mtime, both cut it alike (the state says how), and each puts whole
 * parts under their numbers, so the second one puts the same bytes again. Should the bytes differ nonetheless, each
 * completes the file with the ETags of its own parts, and the server refuses when it has another part. When one of them
 * completes or aborts the upload, the next request of the other fails. That one starts over, and finds the file complete
 * or begins anew.
 */
export class MultipartBody implements S3Body {
  readonly #options: MultipartOptions;
  readonly #ledger: PartLedger;
  readonly #keeper: StateKeeper;
  readonly #partBytes: number;
  readonly #parts: number;
  readonly #stop = new AbortController();
  readonly #onTheWay = new Set<Promise<void>>();
  /** Resolves when the body of the part handed over last begins to leave. */
  #begun: Promise<void> = Promise.resolve();
  /** Resolves when it has left, or never will. */
  #sent: Promise<void> = Promise.resolve();
  #md5 = createHash('md5');
  #filling: Lease | undefined;
  #filled = 0;
  #offset: number;
  /** Whether the bytes that this process has seen are nothing but zeros. */
  #allZeros = true;
  #failure: IsyncError | undefined;
  /** Whether the server has other parts than those that were put. */
  #spoilt = false;

  constructor(options: MultipartOptions) {
    const { file, own, stateKey, state, from } = options;
    this.#options = options;
    ({ partBytes: this.#partBytes, parts: this.#parts } = cutInto(file.size, state.partBytes));
    this.#ledger = new PartLedger(from?.boundary, from?.etags);
    this.#keeper = new StateKeeper(own, stateKey, () => ({
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

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    for (const bytes of chunks) await this.#fill(bytes);
  }

  /** Copies `bytes` into parts, and hands over each one that is full. */
  async #fill(bytes: Uint8Array): Promise<void> {
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
    const { own, upload, file } = this.#options;
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
    await abortUpload(own.bucket, upload, { path: file.path });
    await this.#keeper.remove();
  }

  #checkSound(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** We have not seen the bytes that an earlier process put; the digest of the whole file tells about those. */
  async #isAllZeros(digest: Uint8Array): Promise<boolean> {
    const { file, state, from } = this.#options;
    if (!this.#allZeros || from === undefined) return this.#allZeros;
    return (await digestOfZeros(state.algorithm, file.size)).equals(digest);
  }

  /** The length of the part with this index, in bytes. */
  #bytesOf(index: number): number {
    return index + 1 < this.#parts ? this.#partBytes : this.#options.file.size - index * this.#partBytes;
  }

  /** Waits until the part before is leaving, one more may travel, and there is memory for it. */
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
    const { own, upload, file } = this.#options;
    const { signal } = this.#stop;
    await before;
    try {
      const { etag } = await putPart(own.bucket, upload, number, body, { signal, path: file.path });
      this.#ledger.arrived(number, etag);
    } catch (error) {
      this.#failure ??= toIsyncError(error, 'INTERNAL', { path: file.path });
    }
  }

  /** Resolves when no part is on its way. */
  async #settled(): Promise<void> {
    await Promise.all(this.#onTheWay);
  }

  async #complete(): Promise<void> {
    const { own, upload, file, state } = this.#options;
    const { bucket } = own;
    const { path } = file;
    let failure: IsyncError | undefined;
    try {
      await completeUpload(bucket, upload, this.#ledger.etags, { path });
    } catch (error) {
      failure = toIsyncError(error, 'INTERNAL', { path });
    }
    // Also after a failure: only the answer may have been lost, or a second try failed because the first one succeeded.
    const head = await headObject(bucket, upload.key, { path });
    const isOurs = head !== undefined && uploadOf(head.metadata) === state.nonce;
    if (isOurs && head.size === file.size) return;
    if (failure !== undefined && isRefusal(failure)) {
      // The server has parts of other bytes, or none: the next try begins anew.
      this.#spoilt = true;
      const { message, cause } = failure;
      throw new IsyncError('STORE_FAILED', message, { path, retryable: true, cause });
    }
    if (failure !== undefined) throw failure;
    // Another version of the file may have been published right after ours.
    if (head !== undefined && uploadOf(head.metadata) !== undefined && !isOurs) return;
    // Or the server has not kept our metadata.
    if (head?.size === file.size) return;
    throw new IsyncError('STORE_FAILED', `${head?.size ?? 'no'} bytes are kept where ${file.size} were put`, {
      path,
      retryable: true,
    });
  }
}
