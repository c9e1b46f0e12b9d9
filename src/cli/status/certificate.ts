import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { alarmOf } from '../../observe/status/alarm-table.ts';
import type { RaisedAlarm } from '../../observe/status/alarms.ts';
import { formatSeconds } from '../../observe/units.ts';

/** A certificate that ends sooner is an alarm, in ms: time to get another one. */
const WARN_MS = 14 * 24 * 3600 * 1000;
/** From here on it is a critical one. */
const CRITICAL_MS = 2 * 24 * 3600 * 1000;

/**
 * When the first certificate of a PEM file ends now, in ms since 1970: it may have been renewed. Undefined where there is no file, or that
 * can't be told.
 */
export function certificateEndsMs(path: string | undefined): number | undefined {
  if (path === undefined) return undefined;
  try {
    return new X509Certificate(readFileSync(path)).validToDate.getTime();
  } catch {
    // Whoever uses it says what is wrong with it.
    return undefined;
  }
}

/** @param whose `the certificate of this receiver` */
export function certificateAlarm(whose: string, ends: number | undefined): RaisedAlarm | undefined {
  const leftMs = (ends ?? Infinity) - Date.now();
  if (leftMs > WARN_MS) return undefined;
  const when = leftMs > 0 ? `ends in ${formatSeconds(leftMs / 1000)}` : 'has ended';
  const alarm = alarmOf('CERT_EXPIRES', whose, `${whose} ${when}`);
  return leftMs > CRITICAL_MS ? alarm : { ...alarm, severity: 'critical' };
}
