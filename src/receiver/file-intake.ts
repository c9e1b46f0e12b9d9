import type { DigestAlgorithm } from '../model/digest.ts';
import type { FileEntry } from '../model/file-entry.ts';
import type { RelPath } from '../model/rel-path.ts';
import { IsyncError, toIsyncError } from '../model/isync-error.ts';
import type { Cancel, Chunk, End, Files, InlineFile, Open, SessionLimits } from '../protocol/messages.ts';
import type { PutOutcome, Store, WholeFile } from '../store/store.ts';
import { AckBatcher } from './ack-batcher.ts';
import { protocolViolation } from './protocol-violation.ts';
import type { DeviceFolder } from '../store/device-folder.ts';
import type { HighWaterMark } from '../flow/high-water-mark.ts';
import { IncomingUpload } from './incoming-upload.ts';
import type { Replies } from './replies.ts';
import { PathOrder } from '../flow/path-order.ts';
import { MESSAGE_COST } from './receiver-limits.ts';
import type { Log } from '../model/log.ts';
import { TaskGroup } from '../flow/task-group.ts';

/** Largest id that the wire can carry. */
const MAX_ID = 0xffff_ffff;

/**
 * Bytes that an upload adds to the pending ones from END or CANCEL until the store is done with it. It holds an open
 * file meanwhile, and a session may end far more uploads than it may have open: this bounds them to 64 in 8 MiB.
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
  /** Told of each file that is durable. */
  readonly onKept: (path: string, bytes: number) => void;
  readonly log: Log;
}

interface OpenUpload {
  readonly open: Open;
  readonly upload: IncomingUpload;
}

/** A small file, with its id, and its entry as the device names it. */
interface IncomingFile extends WholeFile {
  readonly id: number;
  readonly entry: FileEntry;
}

/**
 * Takes the files of a session into the store: their ids, their uploads, their order. Each method takes one message; it
 * throws IsyncError PROTOCOL, having touched nothing, where the message breaks a rule.
 */
export class FileIntake {
  readonly #options: FileIntakeOptions;
  readonly #acks: AckBatcher;
  /** Uploads with neither END nor CANCEL, by id. */
  readonly #uploads = new Map<number, OpenUpload>();
  readonly #order = new PathOrder();
  readonly #tasks = new TaskGroup();
  /** Ids that were refused or cancelled, the last ones: a sender has no more of them that it has not heard of. */
  readonly #notKept = new Set<number>();
  readonly #outcome: PutOutcome<IncomingFile> = {
    kept: ({ id, entry }) => this.#keep(id, entry),
    refused: ({ id, entry }, reason) => this.#refuse(id, entry.path, reason),
  };
  #nextId = 1;
  #inFlight = 0;
  #acknowledged = 0;
  #refused = 0;

  constructor(options: FileIntakeOptions) {
    this.#options = options;
    this.#acks = new AckBatcher((ack, files) => {
      this.#inFlight -= files;
      this.#acknowledged += files;
      options.replies.send(ack);
    });
  }

  get counts(): { acknowledged: number; refused: number } {
    return { acknowledged: this.#acknowledged, refused: this.#refused };
  }

  files({ firstId, files }: Files): void {
    this.#takeIds(firstId, files.length);
    const incoming = files.flatMap((file, index) => this.#incoming(firstId + index, file) ?? []);
    const { together, inTurn } = this.#order.split(incoming, pathOf);
    if (together.length > 0) this.#putting(together, (put) => this.#order.runAll(together.map(pathOf), put));
    for (const each of inTurn) this.#putting([each], (put) => this.#order.run(pathOf(each), put));
  }

  open(open: Open): void {
    if (this.#uploads.size >= this.#options.limits.openUploads)
      throw protocolViolation('too many open uploads');
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
      offset: (offset) => this.#options.replies.send({ type: 'offset', id, offset }),
      refused: (error) => this.#refuse(id, entry.path, error),
      stuck: (error) =>
        this.#options.log.warn('the store failed to release an upload', { path: entry.path, err: error }),
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
      if (await upload.commit(digest)) this.#keep(id, open.entry);
    });
  }

  cancel({ id, keep }: Cancel): void {
    const { open, upload } = this.#find(id);
    if (!upload.answered) this.#inFlight--;
    this.#leftOut(id);
    this.#finish(open, () => upload.cancel(keep));
  }

  /**
   * Resolves, when the store has dealt with the file and with all that came before this call, and every ACK of it has been sent, to
   * whether it is kept.
   * @throws IsyncError PROTOCOL unless the file has come whole in this session
   */
  isKept(id: number): Promise<boolean> {
    if (id === 0 || id >= this.#nextId || this.#uploads.has(id))
      throw protocolViolation(`a seal behind file ${id}, which has not come whole`);
    return this.#tasks.soFar().then(() => {
      this.#acks.flush();
      return !this.#notKept.has(id);
    });
  }

  /** Ends open uploads and keeps what has arrived for a resume: the sender will send no more. */
  suspendUploads(): void {
    for (const { open, upload } of this.#uploads.values()) this.#finish(open, () => upload.cancel(true));
  }

  /** Resolves when the store has dealt with every file, and every ACK has been sent. */
  async idle(): Promise<void> {
    await this.#tasks.idle();
    this.#acks.flush();
  }

  /** Sends the ACKs of what is durable so far. */
  flush(): void {
    this.#acks.flush();
  }

  /** What the store gets of a file; undefined where it was refused, because its path can't be kept. */
  #incoming(id: number, { entry, digest, content }: InlineFile): IncomingFile | undefined {
    const { folder, algorithm } = this.#options;
    try {
      const { size, mtimeUs } = entry;
      const file = { path: folder.placeFor(entry.path), size, mtimeUs };
      return { id, entry, file, bytes: content, digest: { algorithm, value: digest } };
    } catch (error) {
      this.#refuse(id, entry.path, error);
      return undefined;
    }
  }

  /** Puts `files` once `inOrder` says so, all at once: one step, one count of their memory and one promise for all of a message. */
  #putting(files: readonly IncomingFile[], inOrder: (put: () => Promise<void>) => Promise<void>): void {
    const { store, replaceDamaged, pending } = this.#options;
    const cost = files.reduce((sum, each) => sum + costOf(each), 0);
    pending.add(cost);
    const put = (): Promise<void> => store.putMany(files, this.#outcome, { replaceDamaged });
    this.#tasks.add(inOrder(put).finally(() => pending.remove(cost)));
  }

  #keep(id: number, { path, size }: FileEntry): void {
    this.#acks.add(id);
    this.#options.onKept(path, size);
  }

  /** Closes the upload to the sender; `step` is its last one at the store. */
  #finish({ id, entry }: Open, step: () => Promise<void>): void {
    const { pending } = this.#options;
    this.#uploads.delete(id);
    pending.add(ENDING_UPLOAD_COST);
    const last = (): Promise<void> => step().finally(() => pending.remove(ENDING_UPLOAD_COST));
    this.#tasks.add(this.#order.run(entry.path, last));
  }

  #find(id: number): OpenUpload {
    const found = this.#uploads.get(id);
    if (found === undefined) throw protocolViolation(`no open upload has the id ${id}`);
    return found;
  }

  #takeIds(first: number, count: number): void {
    if (first !== this.#nextId) throw protocolViolation(`id ${first} where ${this.#nextId} is next`);
    if (first + count - 1 > MAX_ID) throw protocolViolation('the ids of this session are used up');
    if (this.#inFlight + count > this.#options.limits.filesInFlight)
      throw protocolViolation('too many files in flight');
    this.#nextId += count;
    this.#inFlight += count;
  }

  #leftOut(id: number): void {
    this.#notKept.add(id);
    const [oldest] = this.#notKept;
    if (oldest !== undefined && this.#notKept.size > this.#options.limits.filesInFlight)
      this.#notKept.delete(oldest);
  }

  #refuse(id: number, path: string, error: unknown): void {
    this.#inFlight--;
    this.#leftOut(id);
    this.#refused++;
    // A store rejects with IsyncError only; anything else is a bug, so log it.
    if (!(error instanceof IsyncError)) this.#options.log.error('fault in the store', { path, err: error });
    const { code, message, retryable } = toIsyncError(error, 'INTERNAL', { retryable: true });
    this.#options.log.debug('file refused', { path, code, reason: message });
    this.#options.replies.send({ type: 'refused', id, retryable, code, message });
  }
}

function pathOf({ entry }: IncomingFile): RelPath {
  return entry.path;
}

/** Memory that a file takes, in bytes. */
function costOf({ entry, bytes }: IncomingFile): number {
  // The path is kept twice, and V8 takes two bytes for each character where one is beyond Latin-1.
  return bytes.length + 4 * entry.path.length + MESSAGE_COST;
}
