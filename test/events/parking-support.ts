import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openParking } from '../../src/events/parking/open-parking.ts';
import type { ParkedRecord, Parking } from '../../src/events/parking/parking.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { RecordingLog } from '../recording-log.ts';

export let folder: string;
export let log: RecordingLog;
/** For each file of tests to call before each of its tests: a module is run once for all files of a worker. */
export function freshParking(): void {
  folder = join(temporaryFolder(), 'parked');
  log = new RecordingLog();
}

export const open = (): Promise<Parking> => openParking(folder, { log });

export function record(name: string, more: Partial<ParkedRecord> = {}): Omit<ParkedRecord, 'id' | 'at'> {
  return {
    messageId: `m-${name}`,
    code: 'BAD_PATH',
    reason: 'the path has a ".." segment',
    hint: undefined,
    bucket: 'b',
    key: name,
    body: `{"Records":["${name}"]}`,
    ...more,
  };
}

export async function all(parking: Parking): Promise<ParkedRecord[]> {
  const records: ParkedRecord[] = [];
  for await (const each of parking.list()) records.push(each);
  return records;
}

export const keysOf = (records: readonly ParkedRecord[]) => records.map(({ key }) => key);
export const files = (): string[] => readdirSync(folder);
