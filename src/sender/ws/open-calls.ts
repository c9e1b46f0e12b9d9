import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { encode } from '../../protocol/codec.ts';
import type {
  Content,
  FileRange,
  Listed,
  LookedFile,
  Looked,
  Retirement,
  Sealed,
  Welcome,
} from '../../protocol/messages.ts';
import { isFailure } from '../../protocol/content-codec.ts';
import type { Backoff } from '../../flow/retry.ts';
import { otherStore } from '../other-store.ts';
import type { PutJob } from '../send-queue.ts';
import type { LookOptions } from '../target.ts';

/** Most memory for the files of one LIST, in bytes, some millions of them: a receiver must not fill all of ours. */
const MAX_LISTED_BYTES = 1024 * 1024 * 1024;
/** Memory of a listed file beside its path, in bytes. */
const LISTED_FILE_COST = 120;

export type Answer = Looked | Retirement | Listed | Sealed | Content;

/** One LOOK, RETIRED, LIST, SEAL or READ, over as many sessions as it takes. */
export interface Call {
  readonly settled: boolean;
  /** Why a receiver that has said this must not be asked; undefined where it may. */
  objection(welcome: Offered): IsyncError | undefined;
  encode(request: number): Buffer;
  /** Whether this was the last answer. @throws IsyncError PROTOCOL for an answer that does not fit */
  answer(message: Answer): boolean;
}

/** What of WELCOME decides whether a receiver can be asked. */
export type Offered = Pick<Welcome, 'store' | 'reads' | 'sealsBehind'>;

/** A call as its queue sees it. */
export abstract class OpenCall implements Call {
  settled = false;
  pausing = false;
  backoff: Backoff | undefined;
  /** The file that is to be kept first. */
  readonly behind: PutJob | undefined;
  onRejected: (reason: unknown) => void = () => {};

  objection(_welcome: Offered): IsyncError | undefined {
    return undefined;
  }

  abstract encode(request: number): Buffer;
  abstract answer(message: Answer): boolean;

  /** Forgets answers of an earlier try. */
  restart(): void {}

  reject(reason: unknown): void {
    this.settled = true;
    this.onRejected(reason);
  }
}

export class LookCall extends OpenCall {
  readonly #paths: readonly RelPath[];
  readonly #digest: boolean;
  readonly #store: string | undefined;
  readonly #resolve: (files: readonly (LookedFile | undefined)[]) => void;

  constructor(
    paths: readonly RelPath[],
    { digest = false, store }: LookOptions,
    resolve: (files: readonly (LookedFile | undefined)[]) => void,
  ) {
    super();
    this.#paths = paths;
    this.#digest = digest;
    this.#store = store;
    this.#resolve = resolve;
  }

  override objection({ store }: Offered): IsyncError | undefined {
    if (this.#store === undefined) return undefined;
    if (store?.id !== this.#store) return otherStore();
    return store.checksLooks ? undefined : tooOld();
  }

  override encode(request: number): Buffer {
    return encode({ type: 'look', request, digest: this.#digest, paths: this.#paths });
  }

  override answer(message: Answer): boolean {
    if (message.type !== 'looked') throw unfitting('LOOK');
    if (message.files.length !== this.#paths.length) throw unfitting('LOOK');
    if (this.#digest && message.files.some((file) => file !== undefined && file.digest === undefined))
      throw unfitting('LOOK');
    this.settled = true;
    this.#resolve(message.files);
    return true;
  }
}

export class RetiredCall extends OpenCall {
  readonly #directory: RelPath;
  readonly #resolve: (atUs: number | undefined) => void;

  constructor(directory: RelPath, resolve: (atUs: number | undefined) => void) {
    super();
    this.#directory = directory;
    this.#resolve = resolve;
  }

  /** A receiver that is too old, or whose store retires nothing, is not asked: there is nothing to tell. */
  override objection({ store }: Offered): IsyncError | undefined {
    if (store?.retirements === true) return undefined;
    this.settled = true;
    this.#resolve(undefined);
    return tooOld();
  }

  override encode(request: number): Buffer {
    return encode({ type: 'retired', request, directory: this.#directory });
  }

  override answer(message: Answer): boolean {
    if (message.type !== 'retirement') throw unfitting('RETIRED');
    this.settled = true;
    this.#resolve(message.atUs);
    return true;
  }
}

export class ListCall extends OpenCall {
  readonly #prefix: RelPath | '';
  readonly #resolve: (files: readonly FileEntry[]) => void;
  #files: FileEntry[] = [];
  #bytes = 0;

  constructor(prefix: RelPath | '', resolve: (files: readonly FileEntry[]) => void) {
    super();
    this.#prefix = prefix;
    this.#resolve = resolve;
  }

  override encode(request: number): Buffer {
    return encode({ type: 'list', request, prefix: this.#prefix });
  }

  override answer(message: Answer): boolean {
    if (message.type !== 'listed') throw unfitting('LIST');
    for (const file of message.files) {
      this.#bytes += LISTED_FILE_COST + file.path.length;
      this.#files.push(file);
    }
    if (this.#bytes > MAX_LISTED_BYTES)
      throw new IsyncError('PROTOCOL', `more than ${MAX_LISTED_BYTES} bytes in one list`);
    if (!message.last) return false;
    this.settled = true;
    this.#resolve(this.#files);
    return true;
  }

  override restart(): void {
    this.#files = [];
    this.#bytes = 0;
  }
}

export class SealCall extends OpenCall {
  readonly #directory: RelPath;
  readonly #resolve: () => void;

  override readonly behind: PutJob | undefined;

  constructor(directory: RelPath, behind: PutJob | undefined, resolve: () => void) {
    super();
    this.#directory = directory;
    this.behind = behind;
    this.#resolve = resolve;
  }

  override encode(request: number): Buffer {
    return encode({ type: 'seal', request, behind: this.behind?.sentAs, directory: this.#directory });
  }

  override answer(message: Answer): boolean {
    if (message.type !== 'sealed') throw unfitting('SEAL');
    if (this.behind?.kept === false) throw unfitting('SEAL');
    this.settled = true;
    this.#resolve();
    return true;
  }
}

export class ReadCall extends OpenCall {
  readonly #ranges: readonly FileRange[];
  readonly #resolve: (parts: Content['parts']) => void;

  constructor(ranges: readonly FileRange[], resolve: (parts: Content['parts']) => void) {
    super();
    this.#ranges = ranges;
    this.#resolve = resolve;
  }

  override objection({ reads }: Offered): IsyncError | undefined {
    if (reads === undefined) return knowsNoReads();
    return reads ? undefined : givesNoContent();
  }

  override encode(request: number): Buffer {
    return encode({ type: 'read', request, ranges: this.#ranges });
  }

  override answer(message: Answer): boolean {
    if (message.type !== 'content' || message.parts.length !== this.#ranges.length) throw unfitting('READ');
    for (const [at, part] of message.parts.entries())
      if (
        part !== undefined &&
        !isFailure(part) &&
        part.content.length !== wanted(part.size, this.#ranges[at])
      )
        throw unfitting('READ');
    this.settled = true;
    this.#resolve(message.parts);
    return true;
  }
}

/** Whether a call may go to a receiver that has said this: its file has been kept, or has been sent, and the receiver waits for it. */
export function mayFollow(behind: PutJob | undefined, { sealsBehind = false }: Offered): boolean {
  return behind === undefined || behind.kept || (sealsBehind && behind.sentAs !== undefined);
}

/** Bytes that the range has of a file of this size. */
function wanted(size: number, range: FileRange | undefined): number {
  return range === undefined ? 0 : Math.max(0, Math.min(range.length, size - range.start));
}

function knowsNoReads(): IsyncError {
  return new IsyncError('VERSION_UNSUPPORTED', 'the receiver is of a version that gives no content back', {
    hint: 'Update the receiver; or fetch from its store, on the server.',
  });
}

function givesNoContent(): IsyncError {
  return new IsyncError('AUTH_REFUSED', 'the receiver gives content back only for a token that reads', {
    hint: 'On the server: isync token add DEVICE --read --tokens FILE. Here: give that token with --token-file.',
  });
}

function tooOld(): IsyncError {
  return new IsyncError('VERSION_UNSUPPORTED', 'the receiver can not say of which store its answers are', {
    hint: 'Update the receiver.',
  });
}

function unfitting(name: string): IsyncError {
  return new IsyncError('PROTOCOL', `an answer that does not fit its ${name}`);
}
