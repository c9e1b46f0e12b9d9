import { IsyncError } from '../../model/isync-error.ts';
import type { RegularRecord } from '../list/file-record.ts';
import { readStored } from '../pack/read-stored.ts';
import type { Archives, OpenArchive } from './archives.ts';
import { isDamage } from './damage.ts';
import { planReads, type PlannedRead } from './plan-reads.ts';
import { readMany } from './read-many.ts';

/** Requests under way at a time: enough to fill a link whose answers take their time. */
const READS_AT_ONCE = 4;

/** What is to be done with the content of one file. */
export interface FileReader {
  readonly record: RegularRecord;
  /** Begins, or begins anew: what came before was damaged. */
  begin(): Promise<void>;
  take(piece: Uint8Array): Promise<void>;
  /** All its bytes have come. False where they are not what was stored. */
  end(): Promise<boolean>;
  /** It can't be read. Nothing more is called. */
  fail(error: IsyncError): Promise<void>;
}

/** A reader, and how far it is. */
interface Reading {
  readonly record: RegularRecord;
  readonly reader: FileReader;
  left: number;
  isOver: boolean;
  /** Why it must be read again, alone. */
  fault: IsyncError | undefined;
}

/**
 * Reads files from the archives that have them. What is damaged is read once more by itself, for what stands beside it may be the fault.
 * Rejects with what is of no single file: the store can't be reached, there is no key; and with whatever a reader does.
 */
export async function readFiles(
  archives: Archives,
  readers: readonly FileReader[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const full: Reading[] = [];
  for (const reader of readers) {
    const { record } = reader;
    const reading: Reading = { record, reader, left: record.size, isOver: false, fault: undefined };
    if (record.size > 0) full.push(reading);
    else {
      await reader.begin();
      await ended(reading);
      if (reading.fault !== undefined) await reader.fail(reading.fault);
    }
  }
  const waiting = planReads(full);
  const failure = new AbortController();
  const stop = signal === undefined ? failure.signal : AbortSignal.any([signal, failure.signal]);
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      stop.throwIfAborted();
      await readPlanned(archives, next, stop);
    }
  };
  const workers = Array.from({ length: Math.min(READS_AT_ONCE, waiting.length) }, async () => {
    try {
      await work();
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  });
  // None may go on writing when this one has told of its failure.
  await Promise.allSettled(workers);
  await Promise.all(workers);
}

async function readPlanned(
  archives: Archives,
  { archive: version, files }: PlannedRead<Reading>,
  signal: AbortSignal,
): Promise<void> {
  let archive: OpenArchive;
  try {
    archive = await archives.open(version);
  } catch (error) {
    if (!isDamage(error)) throw error;
    for (const { reader } of files) await reader.fail(error);
    return;
  }
  for (let left = files; left.length > 0; left = left.filter((each) => !each.isOver)) {
    for (const each of left) each.left = each.record.size;
    try {
      await readMany(archive, left, takeOf, { signal });
    } catch (error) {
      if (!isDamage(error)) throw error;
      const [at] = left.filter((each) => !each.isOver && each.fault === undefined);
      if (at !== undefined) at.fault = error;
    }
    for (const each of left)
      if (each.fault !== undefined && !each.isOver) await readAlone(archive, each, signal);
  }
}

async function takeOf(reading: Reading, piece: Uint8Array): Promise<void> {
  if (reading.left === reading.record.size) await reading.reader.begin();
  reading.left -= piece.length;
  await reading.reader.take(piece);
  if (reading.left === 0) await ended(reading);
}

async function ended(reading: Reading): Promise<void> {
  if (await reading.reader.end()) reading.isOver = true;
  else reading.fault = different(reading.record);
}

async function readAlone(
  { ranges, compress }: OpenArchive,
  reading: Reading,
  signal: AbortSignal,
): Promise<void> {
  const { record, reader } = reading;
  reading.isOver = true;
  try {
    await reader.begin();
    for await (const piece of readStored(ranges, compress, record.stored, record.size, { signal }))
      await reader.take(piece);
    if (!(await reader.end())) await reader.fail(different(record));
  } catch (error) {
    if (!isDamage(error)) throw error;
    await reader.fail(error);
  }
}

function different({ path }: RegularRecord): IsyncError {
  return new IsyncError('BACKUP_DAMAGED', 'its content is not what was backed up', { path });
}
