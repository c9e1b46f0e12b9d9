import { LRUCache } from 'lru-cache';
import type { Log } from '../../model/log.ts';
import type { Alarm } from './report.ts';
import type { Alarms } from './alarms.ts';

/** An alarm that comes and goes is told again after this long, in ms. */
const REPEAT_MS = 3600 * 1000;
/** Alarms remembered as told; of more the oldest may be told again. */
const MAX_TOLD = 5_000;

/** Tells the log when an alarm is raised, and when one that it has told is over. Returns what ends it. */
export function logAlarms(alarms: Alarms, log: Log, isTold: (alarm: Alarm) => boolean): () => void {
  const told = new LRUCache<string, number>({ max: MAX_TOLD });
  return alarms.listen(({ kind, alarm }) => {
    if (!isTold(alarm)) return;
    const { code, subject, text, cure } = alarm;
    const key = `${code} ${subject}`;
    const fields = { code, ...(subject !== '' && { subject }) };
    const nowMs = performance.now();
    if (kind === 'cleared') {
      if (told.has(key)) log.info(`no longer: ${text}`, fields);
    } else if (nowMs - (told.get(key) ?? -Infinity) >= REPEAT_MS) {
      told.set(key, nowMs);
      log.warn(text, { ...fields, hint: cure });
    } else told.delete(key);
  });
}
