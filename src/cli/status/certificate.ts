import { readFileSync } from 'node:fs';
import { certificateEndsMs, SOON_MS } from '../../http/certificate.ts';
import { alarmOf } from '../../observe/status/alarm-table.ts';
import type { RaisedAlarm } from '../../observe/status/alarms.ts';
import { formatSeconds } from '../../observe/units.ts';

/** The alarm of a certificate that ends sooner is a critical one, in ms: what renews it by itself has failed for days. */
const CRITICAL_MS = 2 * 24 * 3600 * 1000;

/**
 * When the first certificate of a PEM file ends now, in ms since 1970: it may have been renewed. Undefined where there is no file, or that
 * can't be told.
 */
export function fileEndsMs(path: string | undefined): number | undefined {
  if (path === undefined) return undefined;
  try {
    return certificateEndsMs(readFileSync(path));
  } catch {
    // Whoever uses it says what is wrong with it.
    return undefined;
  }
}

/** @param whose `the certificate of this receiver` */
export function certificateAlarm(whose: string, ends: number | undefined): RaisedAlarm | undefined {
  const leftMs = (ends ?? Infinity) - Date.now();
  if (leftMs > SOON_MS) return undefined;
  const when = leftMs > 0 ? `ends in ${formatSeconds(leftMs / 1000)}` : 'has ended';
  const alarm = alarmOf('CERT_EXPIRES', whose, `${whose} ${when}`);
  return leftMs > CRITICAL_MS ? alarm : { ...alarm, severity: 'critical' };
}
