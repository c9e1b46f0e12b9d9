import { pause } from '../../flow/wake-up.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { ParkedRecord, Parking } from '../parking/parking.ts';
import { parseMessage } from '../parse/parse-message.ts';
import type { KeyEncoding } from '../parse/parsed.ts';
import type { Records, Verdict } from './records.ts';

/** How often somebody may have asked for a parked record, in ms: a person waits for it. */
const LOOK_MS = 2_000;

export interface ReplayOptions {
  readonly parking: Parking;
  readonly records: Records;
  readonly keyEncoding: KeyEncoding;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Takes parked records again as they are asked for, until the signal fires. */
export async function followReplays(options: ReplayOptions): Promise<void> {
  const { signal, log } = options;
  while (!signal.aborted) {
    try {
      await replayAll(options);
    } catch (error) {
      log.error('a parked record could not be taken again', { err: error });
    }
    await pause(LOOK_MS, signal);
  }
}

/** Takes those that are asked for now. One that is parked again stays; one that is done is dropped. */
export async function replayAll({
  parking,
  records,
  keyEncoding,
}: ReplayOptions): Promise<ReadonlySet<Verdict>> {
  const verdicts = new Set<Verdict>();
  // Some at a time are told, each once.
  for (let asked = await parking.replays(); asked.length > 0; asked = await parking.replays())
    await Promise.all(
      asked.map(async (parked) => {
        const verdict = await replay(parked, records, keyEncoding);
        if (verdict.has('settled') || verdict.has('unmatched')) await dropIfThere(parking, parked);
        for (const each of verdict) verdicts.add(each);
      }),
    );
  return verdicts;
}

/** What is done for a key drops all that is parked for it. */
async function dropIfThere(parking: Parking, { id }: ParkedRecord): Promise<void> {
  try {
    await parking.drop(id);
  } catch (error) {
    if (!(error instanceof IsyncError) || error.code !== 'USAGE') throw error;
  }
}

async function replay(
  { messageId, body }: ParkedRecord,
  records: Records,
  keyEncoding: KeyEncoding,
): Promise<ReadonlySet<Verdict>> {
  const origin = { messageId, attempt: 1, staysHere: false, hasRedrive: false };
  const taken = parseMessage(body, { keyEncoding }).map((record) => records.take(record, origin));
  return new Set(await Promise.all(taken));
}
