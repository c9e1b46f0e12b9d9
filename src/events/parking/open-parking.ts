import { PathOrder } from '../../flow/path-order.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import { parseRelPath } from '../../model/rel-path.ts';
import { ParkedIndex } from './parked-index.ts';
import type { ParkedRecord, Parking } from './parking.ts';
import { type FolderContent, markerOf, ParkingFolder } from './parking-folder.ts';
import {
  encodeRecord,
  keyIdOf,
  readRecord,
  recordId,
  recordName,
  type RecordName,
  timeOf,
} from './record-file.ts';

/** Records given to be taken again at a time: each may have a body of 1 MiB. */
const REPLAYS_AT_ONCE = 16;
/** Names told of as odd; more are not told, lest a folder full of them fill the log. */
const MOST_ODD_TOLD = 100;
/** Records parked: each is a file, and 300 bytes of memory, and who sends events chooses how many there are. */
const MOST_PARKED = 100_000;

export interface ParkingOptions {
  readonly log: Log;
  /** Bytes that stay free on its disk, else STORE_FULL. Default 0. */
  readonly minFreeBytes?: number | undefined;
  /** Records beyond which none is parked: STORE_FULL. Default {@link MOST_PARKED}. */
  readonly most?: number | undefined;
}

/**
 * Opens the parking folder at `path`; it is made when the first record is parked, and what is above it must be there then.
 * Any number of processes may have it open, but only one may park.
 * @throws IsyncError STORE_FAILED
 */
export async function openParking(
  path: string,
  { log, minFreeBytes = 0, most = MOST_PARKED }: ParkingOptions,
): Promise<Parking> {
  const folder = new ParkingFolder(path, minFreeBytes);
  await folder.tidy();
  const parking = new FolderParking(folder, most, log);
  await parking.refresh();
  return parking;
}

class FolderParking implements Parking {
  readonly #folder: ParkingFolder;
  readonly #most: number;
  readonly #log: Log;
  readonly #index = new ParkedIndex();
  /** Changes to one record come one after the other; an id is a path of one segment. */
  readonly #order = new PathOrder();
  /** Ids with a change under way, which a listing may or may not have seen. */
  readonly #changing = new Map<string, number>();
  /** Ids that `replays` has told. */
  readonly #taken = new Set<string>();
  /** Of the folder when all that was asked for had been told. */
  #allTaken: string | undefined;
  readonly #oddTold = new Set<string>();

  constructor(folder: ParkingFolder, most: number, log: Log) {
    this.#folder = folder;
    this.#most = most;
    this.#log = log;
  }

  get count(): number {
    return this.#index.size;
  }

  park(record: Omit<ParkedRecord, 'id' | 'at'>): Promise<void> {
    const id = recordId(record);
    return this.#change(id, async () => {
      const known = this.#index.get(id);
      if (known === undefined && this.#index.size >= this.#most) throw tooMany(this.#most);
      const at = known === undefined ? new Date().toISOString() : timeOf(known);
      const named = recordName(at, id, keyIdOf(record.bucket, record.key));
      const { messageId, code, reason, hint, bucket, key, body } = record;
      const bytes = encodeRecord({ id, at, messageId, code, reason, hint, bucket, key, body });
      await this.#folder.write(named.name, bytes);
      this.#index.add(named);
      if (known === undefined) return;
      await this.#folder.remove([markerOf(id), ...(known.name === named.name ? [] : [known.name])]);
      this.#taken.delete(id);
    });
  }

  async *list(): AsyncGenerator<ParkedRecord> {
    for (const record of (await this.#look()).records) {
      const read = await this.#readable(record);
      if (read !== undefined) yield read;
    }
  }

  async ids(): Promise<readonly string[]> {
    return (await this.#look()).records.map(({ id }) => id);
  }

  async get(id: string): Promise<ParkedRecord> {
    const record = await readRecord(this.#folder.path, await this.#find(id));
    if (record === undefined) throw noSuch(id);
    return record;
  }

  async drop(id: string): Promise<void> {
    if (this.#index.get(id) === undefined) await this.refresh();
    if (this.#index.get(id) !== undefined) await this.#drop(id);
  }

  async replay(id: string): Promise<void> {
    const found = await this.#find(id);
    await this.#change(found.id, () => this.#folder.mark(found.id));
  }

  async replays(): Promise<readonly ParkedRecord[]> {
    // Asked for every few seconds, also beside a hundred thousand records.
    const version = await this.#folder.version();
    if (version !== undefined && version === this.#allTaken) return [];
    const { records, asked } = await this.refresh();
    const replays: ParkedRecord[] = [];
    this.#allTaken = undefined;
    for (const named of records) {
      if (replays.length === REPLAYS_AT_ONCE) return replays;
      if (!asked.has(named.id) || this.#taken.has(named.id)) continue;
      this.#taken.add(named.id);
      const record = await this.#readable(named);
      if (record !== undefined) replays.push(record);
    }
    this.#allTaken = version;
    return replays;
  }

  later(id: string): void {
    this.#taken.delete(id);
    this.#allTaken = undefined;
  }

  async settled(bucket: string, key: string): Promise<void> {
    if (this.#index.size === 0) return;
    const keyId = keyIdOf(bucket, key);
    if (keyId === undefined) return;
    await Promise.all(this.#index.ofKey(keyId).map((id) => this.#drop(id)));
  }

  /** Learns what other processes have changed, and removes what they have left of records that are gone. */
  async refresh(): Promise<FolderContent> {
    const before = this.#index.all();
    const changing = new Set(this.#changing.keys());
    const content = await this.#look();
    for (const id of this.#changing.keys()) changing.add(id);
    const there = new Set(content.records.map(({ id }) => id));
    for (const { id } of before)
      if (!there.has(id) && !changing.has(id)) {
        this.#index.delete(id);
        this.#taken.delete(id);
      }
    for (const record of content.records) if (!changing.has(record.id)) this.#index.add(record);
    // A marker is made after its record, so it is listed without it only where that is gone, or was parked meanwhile.
    const left = [...content.asked].filter((id) => !there.has(id) && this.#index.get(id) === undefined);
    await this.#folder.remove(left.map(markerOf));
    return content;
  }

  #drop(id: string): Promise<void> {
    return this.#change(id, async () => {
      const known = this.#index.get(id);
      if (known === undefined) return;
      // The marker first: by itself it means nothing.
      await this.#folder.remove([markerOf(id), known.name]);
      this.#index.delete(id);
      this.#taken.delete(id);
    });
  }

  async #change(id: string, change: () => Promise<void>): Promise<void> {
    this.#changing.set(id, (this.#changing.get(id) ?? 0) + 1);
    try {
      await this.#order.run(parseRelPath(id), change);
    } finally {
      const left = (this.#changing.get(id) ?? 1) - 1;
      if (left === 0) this.#changing.delete(id);
      else this.#changing.set(id, left);
    }
  }

  /** @throws IsyncError USAGE where there is no such record */
  async #find(id: string): Promise<RecordName> {
    if (this.#index.get(id) === undefined) await this.refresh();
    const found = this.#index.get(id);
    if (found === undefined) throw noSuch(id);
    return found;
  }

  async #look(): Promise<FolderContent> {
    const content = await this.#folder.look();
    for (const name of content.odd) this.#tell(name, 'a file in the parking folder is no parked record');
    return content;
  }

  /** Undefined for a record that is gone, and for one that can't be read, which is told. */
  async #readable(named: RecordName): Promise<ParkedRecord | undefined> {
    try {
      return await readRecord(this.#folder.path, named);
    } catch (error) {
      this.#tell(named.name, toIsyncError(error, 'INTERNAL').message);
      return undefined;
    }
  }

  #tell(name: string, message: string): void {
    if (this.#oddTold.has(name) || this.#oddTold.size >= MOST_ODD_TOLD) return;
    this.#oddTold.add(name);
    this.#log.warn(`${message}; it is left alone`, { path: `${this.#folder.path}/${name}` });
  }
}

function noSuch(id: string): IsyncError {
  return new IsyncError('USAGE', `${JSON.stringify(id)} is no parked record`, {
    hint: '"isync pull parked list", or "isync webhook parked list", tells all of them.',
  });
}

function tooMany(most: number): IsyncError {
  return new IsyncError('STORE_FULL', `${most} records are parked already, which is the most`, {
    retryable: true,
    hint: '"isync pull parked list", or "isync webhook parked list", has them: mend their cause and replay them, or drop them.',
  });
}
