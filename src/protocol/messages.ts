import type { DigestAlgorithm } from '../model/digest.ts';
import type { FileEntry } from '../model/file-entry.ts';
import type { RelPath } from '../model/rel-path.ts';

/** What each field means, and which order is allowed, stands in PROTOCOL.md. */
export interface Hello {
  readonly type: 'hello';
  readonly version: number;
  readonly device: string;
  readonly mode: 'write' | 'read';
  readonly digest: DigestAlgorithm;
  readonly software: string;
  /** Absent where the sender does not ask for it. */
  readonly replaceDamaged?: boolean | undefined;
}

export interface InlineFile {
  readonly entry: FileEntry;
  readonly digest: Buffer;
  readonly content: Buffer;
}

export interface Files {
  readonly type: 'files';
  readonly firstId: number;
  readonly files: readonly InlineFile[];
}

export interface Open {
  readonly type: 'open';
  readonly id: number;
  readonly resume: boolean;
  readonly entry: FileEntry;
}

export interface Chunk {
  readonly type: 'chunk';
  readonly id: number;
  readonly offset: number;
  readonly content: Buffer;
}

export interface End {
  readonly type: 'end';
  readonly id: number;
  readonly digest: Buffer;
}

export interface Cancel {
  readonly type: 'cancel';
  readonly id: number;
  readonly keep: boolean;
}

export interface Look {
  readonly type: 'look';
  readonly request: number;
  readonly digest: boolean;
  readonly paths: readonly RelPath[];
}

/** When was a data directory retired? */
export interface Retired {
  readonly type: 'retired';
  readonly request: number;
  readonly directory: RelPath;
}

export interface List {
  readonly type: 'list';
  readonly request: number;
  readonly prefix: RelPath | '';
}

export interface Seal {
  readonly type: 'seal';
  /** Id of a file in flight that is to be kept first; undefined where all are acknowledged. */
  readonly behind?: number | undefined;
  readonly request: number;
  readonly directory: RelPath;
}

/** Some of the bytes of a file. */
export interface FileRange {
  readonly path: RelPath;
  /** The first byte that is wanted. */
  readonly start: number;
  /** Most bytes that are wanted; 0 asks for the version alone. */
  readonly length: number;
}

export interface Read {
  readonly type: 'read';
  readonly request: number;
  readonly ranges: readonly FileRange[];
}

/** A FILES or CHUNK in one zstd frame, not unpacked yet; see packing.ts. */
export interface Packed {
  readonly type: 'packed';
  /** Length of the message inside, in bytes, as the sender claims. */
  readonly length: number;
  readonly frame: Buffer;
}

/** What a device tells of itself, not parsed yet; see report.ts. */
export interface Report {
  readonly type: 'report';
  readonly json: Buffer;
}

export interface Keepalive {
  readonly type: 'keepalive';
}

export type SenderMessage =
  | Hello
  | Files
  | Open
  | Chunk
  | End
  | Cancel
  | Look
  | Retired
  | List
  | Seal
  | Read
  | Packed
  | Report
  | Keepalive;

export interface SessionLimits {
  readonly filesInFlight: number;
  readonly openUploads: number;
  readonly requests: number;
}

export interface Welcome {
  readonly type: 'welcome';
  readonly version: number;
  readonly session: string;
  readonly device: string;
  readonly software: string;
  readonly limits: SessionLimits;
  /** Formats that PACKED may have; empty where the receiver takes no PACKED. */
  readonly compression: readonly string[];
  /** Whether it takes REPORT; absent where it does not. */
  readonly reports?: boolean | undefined;
  /** Whether this session may READ; absent where the receiver knows no READ. */
  readonly reads?: boolean | undefined;
  /** Whether a SEAL may stand behind a file that has no ACK yet; absent where it may not. */
  readonly sealsBehind?: boolean | undefined;
  /** Undefined where the receiver does not tell it. */
  readonly store: WelcomeStore | undefined;
}

export interface WelcomeStore {
  /** Distinguishes the store from all others. */
  readonly id: string;
  /** Distinguishes the receiver's process from all others. */
  readonly process: string;
  /** Whether LISTED tells the files' own mtimes. */
  readonly listedMtime: boolean;
  /** Whether a LOOK with digest is answered by this store or not at all. */
  readonly checksLooks: boolean;
  /** Whether RETIRED is answered. */
  readonly retirements: boolean;
  /** Bytes that files may take there now; undefined where the receiver does not tell. */
  readonly freeBytes?: number | undefined;
}

/** All ids from `first` to `last`, both included. */
export interface IdRange {
  readonly first: number;
  readonly last: number;
}

export interface Ack {
  readonly type: 'ack';
  readonly ranges: readonly IdRange[];
}

export interface Refused extends Failure {
  readonly type: 'refused';
  readonly id: number;
}

export interface Offset {
  readonly type: 'offset';
  readonly id: number;
  readonly offset: number;
}

export interface LookedFile {
  readonly size: number;
  readonly mtimeUs: number;
  readonly digest: Buffer | undefined;
}

export interface Looked {
  readonly type: 'looked';
  readonly request: number;
  readonly files: readonly (LookedFile | undefined)[];
}

export interface Retirement {
  readonly type: 'retirement';
  readonly request: number;
  /** In microseconds since the Unix epoch; undefined where it was not retired. */
  readonly atUs: number | undefined;
}

export interface Listed {
  readonly type: 'listed';
  readonly request: number;
  readonly last: boolean;
  readonly files: readonly FileEntry[];
}

export interface Sealed {
  readonly type: 'sealed';
  readonly request: number;
}

/** Why something could not be done. */
export interface Failure {
  readonly retryable: boolean;
  /** An ErrorCode, perhaps of a newer version. */
  readonly code: string;
  readonly message: string;
}

/** A version of a file, and the bytes of it that were asked for, as far as it has them. */
export interface FilePart {
  readonly size: number;
  readonly mtimeUs: number;
  /** Another one for another content, also of the same size and mtime; '' where the store can't tell. */
  readonly version: string;
  /** Of the whole file, where the store keeps it with the file. */
  readonly kept: KeptDigest | undefined;
  /** Of `content`. */
  readonly digest: Buffer;
  readonly content: Buffer;
}

export interface KeptDigest {
  readonly algorithm: DigestAlgorithm;
  readonly value: Buffer;
}

/** For each range a part of that file, why there is none, or undefined where there is no such file. */
export interface Content {
  readonly type: 'content';
  readonly request: number;
  readonly parts: readonly (FilePart | Failure | undefined)[];
}

export interface Failed extends Failure {
  readonly type: 'failed';
  readonly request: number;
}

export type ReceiverMessage =
  Welcome | Ack | Refused | Offset | Looked | Retirement | Listed | Sealed | Content | Failed | Keepalive;
