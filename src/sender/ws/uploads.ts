import { BufferPool } from '../../flow/buffer-pool.ts';
import type { DigestAlgorithm } from '../../model/digest.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { CHUNK_HEADER_BYTES, encode } from '../../protocol/codec.ts';
import { MAX_CHUNK_BYTES, MAX_OPEN_UPLOADS } from '../../protocol/limits.ts';
import { Forgotten, type SendQueue, type PutJob } from '../send-queue.ts';
import type { Flights } from './flights.ts';
import type { Packer } from './packer.ts';
import { Upload, type UploadPort } from './upload.ts';
import type { Wire } from './wire.ts';

/** Uploads at a time up to which the backlog starts more: hides opening files and asking for offsets. */
const BACKLOG_UPLOADS = 4;
/** Memory of sent chunks kept for the next ones: as many as the socket and four uploads hold at a time, 8 MiB. */
const CHUNKS_KEPT = 32;

export interface UploadsOptions {
  readonly queue: SendQueue;
  readonly flights: Flights;
  readonly wire: Wire;
  readonly algorithm: DigestAlgorithm;
  readonly most: number;
  /** Most content that one message should have now, in bytes. */
  readonly messageBytes: () => number;
  readonly createPacker: () => Packer | undefined;
  /** Called when there may be something to send. */
  readonly onReady: () => void;
}

/** The uploads of one session: starts them, and takes their chunks in turns. */
export class Uploads implements UploadPort {
  readonly algorithm: DigestAlgorithm;
  readonly buffers = new BufferPool(CHUNK_HEADER_BYTES + MAX_CHUNK_BYTES, CHUNKS_KEPT);
  readonly #options: UploadsOptions;
  readonly #most: number;
  readonly #running = new Map<Upload, Promise<void>>();
  readonly #offers: { readonly live: Upload[]; readonly backlog: Upload[] } = { live: [], backlog: [] };
  /** Taken from the queue, and neither in flight nor failed yet. */
  readonly #opening = new Set<Upload>();
  #over = false;

  constructor(options: UploadsOptions) {
    this.#options = options;
    this.algorithm = options.algorithm;
    this.#most = Math.min(options.most, MAX_OPEN_UPLOADS);
  }

  chunkBytes({ packer }: Upload): number {
    return Math.min(MAX_CHUNK_BYTES, Math.floor(this.#options.messageBytes() * (packer?.expansion ?? 1)));
  }

  createPacker(): Packer | undefined {
    return this.#options.createPacker();
  }

  /** Files that will be in flight as soon as they are open. */
  get opening(): number {
    return this.#opening.size;
  }

  /** Starts what may be started. */
  start(): void {
    const { queue, flights } = this.#options;
    for (const live of [true, false]) {
      const most = live ? this.#most : Math.min(this.#most, BACKLOG_UPLOADS);
      while (this.#running.size < most && this.#opening.size < flights.room(live)) {
        const job = queue.take(live, 'large');
        if (job === undefined) break;
        this.#run(new Upload(job, this));
      }
    }
  }

  /** Sends a chunk of the upload that has waited longest; returns the bytes of the message, 0 for none. */
  sendChunk(live: boolean): number {
    const { flights, wire } = this.#options;
    const offers = this.#offers[live ? 'live' : 'backlog'];
    for (let upload = offers.shift(); upload !== undefined; upload = offers.shift()) {
      if (upload.id === undefined || !flights.has(upload.id)) continue; // Failed since it offered.
      const bytes = upload.takeChunk();
      if (bytes === undefined) continue;
      upload.job.sent(bytes.length - CHUNK_HEADER_BYTES);
      const message = upload.packer?.pack(bytes) ?? bytes;
      if (message === bytes) wire.send(bytes, () => this.buffers.giveBack(bytes));
      else {
        this.buffers.giveBack(bytes);
        wire.send(message);
      }
      return message.length;
    }
    return 0;
  }

  /** Ends all of them; resolves to those jobs that are not in flight when every file is closed. */
  async stop(reason: unknown): Promise<PutJob[]> {
    this.#over = true;
    const opening = [...this.#opening].map(({ job }) => job);
    for (const upload of this.#running.keys()) upload.stop(reason);
    await Promise.all(this.#running.values());
    return opening;
  }

  opened(upload: Upload, resume: boolean): number {
    const { flights, wire } = this.#options;
    const id = flights.addUpload(upload);
    this.#opening.delete(upload);
    wire.send(encode({ type: 'open', id, resume, entry: upload.job.file.entry }));
    return id;
  }

  offered(upload: Upload): void {
    this.#offers[upload.job.live ? 'live' : 'backlog'].push(upload);
    this.#options.onReady();
  }

  ended({ id }: Upload, digest: Buffer): void {
    if (id === undefined) return;
    this.#options.flights.ended(id, digest);
    this.#options.wire.send(encode({ type: 'end', id, digest }));
  }

  failed(upload: Upload, error: unknown): void {
    // When the session is over the file goes back to the queue, whatever this try died of.
    if (this.#over) return;
    const { flights, queue, wire } = this.#options;
    const { job, id } = upload;
    this.#opening.delete(upload);
    const told = toIsyncError(error, 'FILE_UNREADABLE', { path: job.file.entry.path });
    // The receiver keeps the bytes of a file that may come again unchanged.
    const keep = error instanceof Forgotten || (error instanceof IsyncError && error.retryable);
    if (id !== undefined && flights.cancel(id)) wire.send(encode({ type: 'cancel', id, keep }));
    queue.failed(job, told);
  }

  #run(upload: Upload): void {
    this.#opening.add(upload);
    const ran = async () => {
      await upload.run();
      this.#running.delete(upload);
      if (!this.#over) this.#options.onReady();
    };
    this.#running.set(upload, ran());
  }
}
