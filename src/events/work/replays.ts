import { pause } from '../../flow/wake-up.ts';
import type { Log, LogFields } from '../../model/log.ts';
import type { ParkedRecord, Parking } from '../parking/parking.ts';
import { parseMessage } from '../parse/parse-message.ts';
import type { KeyEncoding } from '../parse/parsed.ts';
import type { RecordTaker, Verdict } from './records.ts';

/** How often somebody may have asked for a parked record, in ms: a person waits for it. */
const LOOK_MS = 2_000;
/** No delivery of a queue counts a parked record. */
const REPLAY_ATTEMPT = 1;

export interface ReplayOptions {
  readonly parking: Parking;
  readonly records: RecordTaker;
  readonly keyEncoding: KeyEncoding;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Takes parked records again as they are asked for, until the signal fires. */
export async function followReplays(options: ReplayOptions): Promise<void> {
  const { signal, log } = options;
  while (!signal.aborted) {
    try {
      await replayAsked(options);
    } catch (error) {
      log.error('the parked records could not be read', { err: error });
    }
    await pause(LOOK_MS, signal);
  }
}

/**
 * Takes those that are asked for now. One that is parked again stays; one that is done is dropped. Rejects, once all are tried,
 * where one could not be taken.
 */
export async function replayAll(options: ReplayOptions): Promise<ReadonlySet<Verdict>> {
  const { verdicts, faults } = await replayAsked(options);
  if (faults.length > 0) throw faults[0];
  return verdicts;
}

/** Tells of each record that can't be taken. */
async function replayAsked({ parking, records, keyEncoding, log }: ReplayOptions): Promise<Replayed> {
  const verdicts = new Set<Verdict>();
  const faults: unknown[] = [];
  const again = new Set<string>();
  try {
    // Some at a time are told, each once.
    for (let asked = await parking.replays(); asked.length > 0; asked = await parking.replays()) {
      for (const { id } of asked) again.add(id);
      await Promise.all(
        asked.map(async (parked) => {
          try {
            const verdict = await replay(parked, records, keyEncoding);
            for (const each of verdict) verdicts.add(each);
            if (verdict.has('later') || verdict.has('stopped')) return;
            again.delete(parked.id);
            if (verdict.has('settled') || verdict.has('unmatched')) await parking.drop(parked.id);
          } catch (error) {
            faults.push(error);
            log.error('a parked record could not be taken again', { ...fieldsOfParked(parked), err: error });
          }
        }),
      );
    }
  } finally {
    // Not before: they would be told at once again.
    for (const id of again) parking.later(id);
  }
  return { verdicts, faults };
}

interface Replayed {
  readonly verdicts: ReadonlySet<Verdict>;
  readonly faults: readonly unknown[];
}

function fieldsOfParked({ id, messageId, bucket, key }: ParkedRecord): LogFields {
  return {
    message: messageId,
    attempt: REPLAY_ATTEMPT,
    parked: id,
    ...(bucket !== undefined && { bucket }),
    ...(key !== undefined && { key }),
  };
}

async function replay(
  { messageId, body }: ParkedRecord,
  records: RecordTaker,
  keyEncoding: KeyEncoding,
): Promise<ReadonlySet<Verdict>> {
  const origin = { messageId, attempt: REPLAY_ATTEMPT, staysMs: 0, hasRedrive: false };
  const taken = parseMessage(body, { keyEncoding }).map((record) => records.take(record, origin));
  return new Set(await Promise.all(taken));
}
