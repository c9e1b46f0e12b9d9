import type { ErrorCode } from '../../model/isync-error.ts';

/** A record that nobody can work on, with why. */
export interface ParkedRecord {
  /** The same for the same message and record: a record that comes again is parked once. */
  readonly id: string;
  /** When it was parked, ISO 8601. */
  readonly at: string;
  /** Of the message that it came in. */
  readonly messageId: string;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint: string | undefined;
  /** Undefined where the record could not be understood. */
  readonly bucket: string | undefined;
  readonly key: string | undefined;
  /** A message body that has this record alone. */
  readonly body: string;
}

/**
 * Records that wait for a person: one file each in a folder, for other processes to list, show, replay and drop, also while a
 * pull works on them. What fails rejects with an IsyncError: STORE_FULL and STORE_FAILED where the disk does.
 */
export interface Parking {
  /**
   * Resolves when the record is durable. One that is parked already gets the new reason, and is not asked to be taken again
   * any more; it keeps its time.
   */
  park(record: Omit<ParkedRecord, 'id' | 'at'>): Promise<void>;
  /** All records, the oldest first, read one at a time. One that can't be read is told in the log and left where it is. */
  list(): AsyncIterable<ParkedRecord>;
  /** Their ids, the oldest first; no record is read. */
  ids(): Promise<readonly string[]>;
  /** @throws IsyncError USAGE where there is no such record */
  get(id: string): Promise<ParkedRecord>;
  /** Nothing happens where there is no such record: somebody else, or `settled`, was quicker. */
  drop(id: string): Promise<void>;
  /**
   * Asks whoever works here to take the record again; what was asked stands until then, also over a restart.
   * @throws IsyncError USAGE where there is no such record
   */
  replay(id: string): Promise<void>;
  /**
   * Some of the records that were asked for, the oldest first: each once in the life of this object, unless it is parked again
   * and asked for again. It stays parked until it is dropped, settled or parked anew; whoever takes it sees to one of these, or
   * gives it back with `later`.
   */
  replays(): Promise<readonly ParkedRecord[]>;
  /** Has `replays` tell a record again: trouble that passes has kept it from being worked on. */
  later(id: string): void;
  /** Drops what is parked for a key, once that is as it should be. Cheap where nothing is. */
  settled(bucket: string, key: string): Promise<void>;
  /** How many there are; counted when opened and kept since; `replays` sees what other processes dropped. */
  readonly count: number;
}
