import type { DigestAlgorithm } from '../model/digest.ts';
import { IsyncError, toIsyncError } from '../model/isync-error.ts';
import type { Cancel, Chunk, End, Files, InlineFile, Open, SessionLimits } from '../protocol/messages.ts';
import type { Store } from '../store/store.ts';
import { AckCollector } from './ack-collector.ts';
import { brokenRule } from './broken-rule.ts';
import type { DeviceFolder } from '../store/device-folder.ts';
import type { HighWaterMark } from '../flow/high-water-mark.ts';
import { IncomingUpload } from './incoming-upload.ts';
import type { Replies } from './replies.ts';
import { PathOrder } from '../flow/path-order.ts';
import { MESSAGE_COST } from './receiver-limits.ts';
import type { Log } from '../model/log.ts';
import { WorkSet } from './work-set.ts';

/** Largest id that the wire can carry. */
const MAX_ID = 0xffff_ffff;

/**
 * What an upload counts in the pending bytes from END or CANCEL until the store is done with it, in bytes: it holds
 * an open file, and a session may end many more than it may have open. 8 MiB of these are 64.
 */
const ENDING_UPLOAD_COST = 128 * 1024;

export interface FileIntakeOptions {
  readonly store: Store;
  readonly folder: DeviceFolder;
  readonly algorithm: DigestAlgorithm;
  /** As HELLO said. */
  readonly replaceDamaged: boolean;
  readonly limits: SessionLimits;
  readonly replies: Replies;
  readonly pending: HighWaterMark;
  readonly log: Log;
}

interface OpenUpload {
  readonly open: Open;
  readonly upload: IncomingUpload;
}

/**
 * The files of a session: ids, uploads, and their way into the store. Each method takes one message; it throws
 * IsyncError PROTOCOL, having touched nothing, where the message breaks a rule.
 */
export class FileIntake {
  readonly #options: FileIntakeOptions;
  readonly #acks: AckCollector;
  /** Uploads with neither END nor CANCEL, by id. */
  readonly #uploads = new Map<number, OpenUpload>();
  readonly #order = new PathOrder();
  readonly #work = new WorkSet();
  #nextId = 1;
  #inFlight = 0;
  #acknowledged = 0;
  #refused = 0;

  constructor(options: FileIntakeOptions) {
    this.#options = options;
    this.#acks = new AckCollector((ack, files) => {
      this.#inFlight -= files;
      this.#acknowledged += files;
      options.replies.say(ack);
    });
  }

  get counts(): { acknowledged: number; refused: number } {
    return { acknowledged: this.#acknowledged, refused: this.#refused };
  }

  files({ firstId, files }: Files): void {
    this.#takeIds(firstId, files.length);
    files.forEach((file, index) => this.#put(firstId + index, file));
  }

  open(open: Open): void {
    if (this.#uploads.size >= this.#options.limits.openUploads) throw brokenRule('too many open uploads');
    this.#takeIds(open.id, 1);
    const { id, resume, entry } = open;
    const upload = new IncomingUpload({
      size: entry.size,
      resume,
      pending: this.#options.pending,
      begin: async () => {
        const path = this.#options.folder.placeFor(entry.path);
        // An upload of the same file that has ended may still hold it.
        await this.#order.ended(entry.path);
        const { store, algorithm, replaceDamaged } = this.#options;
        return store.begin({ ...entry, path }, { algorithm, resume, replaceDamaged });
      },
      offset: (offset) => this.#options.replies.say({ type: 'offset', id, offset }),
      refused: (error) => this.#refuse(id, entry.path, error),
      stuck: (error) =>
        this.#options.log.warn('an upload was not let go of', { path: entry.path, err: error }),
    });
    this.#uploads.set(id, { open, upload });
  }

  chunk({ id, offset, content }: Chunk): void {
    this.#find(id).upload.chunk(offset, content);
  }

  end({ id, digest }: End): void {
    const { open, upload } = this.#find(id);
    upload.checkComplete();
    this.#finish(open, async () => {
      if (await upload.commit(digest)) this.#acks.add(id);
    });
  }

  cancel({ id, keep }: Cancel): void {
    const { open, upload } = this.#find(id);
    if (!upload.answered) this.#inFlight--;
    this.#finish(open, () => upload.cancel(keep));
  }

  /** The sender will say no more: keeps what has arrived of open uploads for a resume. */
  suspendUploads(): void {
    for (const { open, upload } of this.#uploads.values()) this.#finish(open, () => upload.cancel(true));
  }

  /** Resolves when the store has dealt with everything, and every ACK has been said. */
  async idle(): Promise<void> {
    await this.#work.idle();
    this.#acks.flush();
  }

  /** Says the ACKs of what is durable so far. */
  flush(): void {
    this.#acks.flush();
  }

  #put(id: number, { entry, digest, content }: InlineFile): void {
    const { store, folder, algorithm, replaceDamaged, pending } = this.#options;
    // Characters beyond Latin-1 take two bytes each in every copy of the path.
    const cost = content.length + 4 * entry.path.length + MESSAGE_COST;
    pending.add(cost);
    const put = async (): Promise<void> => {
      try {
        const path = folder.placeFor(entry.path);
        await store.put({ ...entry, path }, content, { algorithm, value: digest }, { replaceDamaged });
        this.#acks.add(id);
      } catch (error) {
        this.#refuse(id, entry.path, error);
      } finally {
        pending.remove(cost);
      }
    };
    this.#work.add(this.#order.run(entry.path, put));
  }

  /** The upload is no longer open to the sender; `step` is its last at the store. */
  #finish({ id, entry }: Open, step: () => Promise<void>): void {
    const { pending } = this.#options;
    this.#uploads.delete(id);
    pending.add(ENDING_UPLOAD_COST);
    const last = (): Promise<void> => step().finally(() => pending.remove(ENDING_UPLOAD_COST));
    this.#work.add(this.#order.run(entry.path, last));
  }

  #find(id: number): OpenUpload {
    const found = this.#uploads.get(id);
    if (found === undefined) throw brokenRule(`no open upload has the id ${id}`);
    return found;
  }

  #takeIds(first: number, count: number): void {
    if (first !== this.#nextId) throw brokenRule(`id ${first} where ${this.#nextId} is next`);
    if (first + count - 1 > MAX_ID) throw brokenRule('the ids of this session are used up');
    if (this.#inFlight + count > this.#options.limits.filesInFlight)
      throw brokenRule('too many files in flight');
    this.#nextId += count;
    this.#inFlight += count;
  }

  #refuse(id: number, path: string, error: unknown): void {
    this.#inFlight--;
    this.#refused++;
    // A store rejects with IsyncError only: anything else is a fault of ours, to be found in the log.
    if (!(error instanceof IsyncError)) this.#options.log.error('fault in the store', { path, err: error });
    const { code, message, retryable } = toIsyncError(error, 'INTERNAL', { retryable: true });
    this.#options.log.debug('file refused', { path, code, reason: message });
    this.#options.replies.say({ type: 'refused', id, retryable, code, message });
  }
}
