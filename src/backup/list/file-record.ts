import type { MemberPath } from './member-path.ts';

/** One line of a file list: a member of a backup as it was, and where its bytes are. Records are in the order of comparePaths. */
export type FileRecord = RegularRecord | DirectoryRecord | SymlinkRecord;

interface RecordBase {
  /** The bytes that it has on the disk: pathBytes of escaped-name.ts. */
  readonly path: MemberPath;
  /** Permission bits with setuid, setgid and sticky: 0o7777 at most. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Names of the owners, where this machine knows them. */
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  /** Nanoseconds since the Unix epoch; may be negative. */
  readonly mtimeNs: bigint;
}

export interface RegularRecord extends RecordBase {
  readonly type: 'file';
  /** Bytes. */
  readonly size: number;
  /** Of the content, hex. */
  readonly sha256: string;
  readonly stored: StoredAt;
  /**
   * What the next incremental backup compares. Not kept where it would not help: for what a command printed, and for a torn file,
   * which is always read again.
   */
  readonly seen?: SeenAs | undefined;
  /** Another name of the file at this path, which comes earlier in the list and has the same content. */
  readonly linkTo?: MemberPath | undefined;
  /** It changed whenever it was read: its content may be of no single moment. */
  readonly isTorn?: true | undefined;
}

export interface DirectoryRecord extends RecordBase {
  readonly type: 'directory';
}

export interface SymlinkRecord extends RecordBase {
  readonly type: 'symlink';
  /** The bytes of what it points to, whatever they are: never resolved by us. */
  readonly target: Uint8Array;
}

export interface SeenAs {
  readonly device: bigint;
  readonly inode: bigint;
  readonly ctimeNs: bigint;
}

/**
 * Where the content of a file is: read bytes `from` to before `to` of the compressed tar (what is left once encryption is taken
 * off), decompress them, skip `skip` bytes, take as many as the file has. They are whole frames. Of an empty file `from` is `to`.
 */
export interface StoredAt {
  /** Version of the backup whose archive it is. */
  readonly archive: number;
  readonly from: number;
  readonly to: number;
  readonly skip: number;
}
