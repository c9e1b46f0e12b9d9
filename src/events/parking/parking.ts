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

/** Records that wait for a person: one file each in a folder, for other processes to list, show, replay and drop. */
export interface Parking {
  /** Resolves when the record is durable. */
  park(record: Omit<ParkedRecord, 'id' | 'at'>): Promise<void>;
  /** All records, the oldest first. One that can't be read is told to `onFault` and left where it is. */
  list(): AsyncIterable<ParkedRecord>;
  /** @throws IsyncError where there is no such record */
  get(id: string): Promise<ParkedRecord>;
  drop(id: string): Promise<void>;
  /** Asks whoever works here to take the record again. */
  replay(id: string): Promise<void>;
  /** Those that were asked for, and not taken yet. A record stays parked until it is dropped or settled. */
  replays(): Promise<readonly ParkedRecord[]>;
  /** Drops what is parked for a key, once that is as it should be. Cheap where nothing is. */
  settled(bucket: string, key: string): Promise<void>;
  /** How many there are; counted when opened and kept since. */
  readonly count: number;
}
