import { MAX_FILES_IN_FLIGHT } from '../../protocol/limits.ts';
import type { Ack, Offset, Refused } from '../../protocol/messages.ts';
import type { SendQueue, PutJob } from '../send-queue.ts';
import { protocolFault, toldError } from './faults.ts';
import type { Upload } from './upload.ts';

/** One part in this many of the files in flight is kept for live ones. */
const LIVE_SHARE = 8;
const LAST_ID = 0xffff_ffff;

/** A file in flight: from FILES or OPEN to ACK, REFUSED or CANCEL. */
interface Flight {
  readonly job: PutJob;
  /** Undefined until END. */
  digest: Buffer | undefined;
  readonly upload: Upload | undefined;
}

/**
 * Tracks the files in flight of one session by id, and tells the queue how each of them ended. A message that can't be true
 * throws IsyncError PROTOCOL.
 */
export class Flights {
  readonly #flights = new Map<number, Flight>();
  readonly #queue: SendQueue;
  readonly #incarnation: string;
  readonly #most: number;
  readonly #onProgress: () => void;
  #nextId = 1;

  /** `incarnation` says who acknowledges them. */
  constructor(queue: SendQueue, incarnation: string, most: number, onProgress: () => void) {
    this.#queue = queue;
    this.#incarnation = incarnation;
    this.#most = Math.min(most, MAX_FILES_IN_FLIGHT);
    this.#onProgress = onProgress;
  }

  get size(): number {
    return this.#flights.size;
  }

  get nextId(): number {
    return this.#nextId;
  }

  /** Ids do not wrap: with (nearly) the last one gone, the session must end. */
  get usedUp(): boolean {
    return this.#nextId > LAST_ID - MAX_FILES_IN_FLIGHT;
  }

  /** In the order of their ids. */
  get jobs(): PutJob[] {
    return [...this.#flights.values()].map(({ job }) => job);
  }

  /** How many more files may be in flight. */
  room(live: boolean): number {
    if (this.usedUp) return 0;
    const keptForLive = live || this.#most < LIVE_SHARE ? 0 : Math.ceil(this.#most / LIVE_SHARE);
    return Math.max(0, this.#most - keptForLive - this.#flights.size);
  }

  addSmall(job: PutJob, digest: Buffer): void {
    const id = this.#nextId++;
    this.#flights.set(id, { job, digest, upload: undefined });
    this.#sent(job, id);
  }

  addUpload(upload: Upload): number {
    const id = this.#nextId++;
    this.#flights.set(id, { job: upload.job, digest: undefined, upload });
    return id;
  }

  has(id: number): boolean {
    return this.#flights.has(id);
  }

  ended(id: number, digest: Buffer): void {
    const flight = this.#flights.get(id);
    if (flight === undefined) return;
    flight.digest = digest;
    this.#sent(flight.job, id);
  }

  #sent(job: PutJob, id: number): void {
    if (!job.settled) job.sentAs = id;
  }

  /** Whether it was in flight. */
  cancel(id: number): boolean {
    return this.#flights.delete(id);
  }

  /** Accepts an ACK whole or not at all. */
  acknowledged({ ranges }: Ack): void {
    const kept: { readonly job: PutJob; readonly digest: Buffer }[] = [];
    for (const { first, last } of ranges)
      for (let id = first; id <= last; id++) {
        const flight = this.#flights.get(id);
        if (flight?.digest === undefined || kept.length > this.#flights.size)
          throw protocolFault(`ACK of file ${id}, which awaits none`);
        kept.push({ job: flight.job, digest: flight.digest });
      }
    for (const { first, last } of ranges) for (let id = first; id <= last; id++) this.#flights.delete(id);
    for (const { job, digest } of kept) this.#queue.kept(job, digest, this.#incarnation);
    this.#onProgress();
  }

  refused(message: Refused): void {
    const flight = this.#flights.get(message.id);
    if (flight === undefined) return this.#mayHaveCrossed(message.id, 'REFUSED');
    const { job, upload, digest } = flight;
    const error = toldError(message, job.file.entry.path);
    if (upload !== undefined && digest === undefined) {
      upload.stop(error);
      return;
    }
    this.#flights.delete(message.id);
    this.#queue.failed(job, error);
  }

  resumed({ id, offset }: Offset): void {
    const flight = this.#flights.get(id);
    if (flight === undefined) return this.#mayHaveCrossed(id, 'OFFSET');
    const { job, upload } = flight;
    if (upload?.awaitsOffset !== true) throw protocolFault(`OFFSET of file ${id}, which awaits none`);
    if (offset > job.file.entry.size) throw protocolFault(`OFFSET beyond the end of file ${id}`);
    if (offset > job.resumedAt) {
      job.resumedAt = offset;
      this.#onProgress();
    }
    upload.resumeAt(offset);
  }

  /** What was under way when we said CANCEL is ignored; an id that was never given out is a fault. */
  #mayHaveCrossed(id: number, what: string): void {
    if (id === 0 || id >= this.#nextId) throw protocolFault(`${what} of file ${id}, which was never sent`);
  }
}
