import { ERRORS } from '../../model/error-table.ts';
import type { AlarmSeverity } from './report.ts';
import type { RaisedAlarm } from './alarms.ts';

interface AlarmFacts {
  readonly severity: AlarmSeverity;
  /** docs/operations.md has the same sentences. */
  readonly cure: string;
}

/** States that no error stands for. The codes are stable: alert rules match on them. */
export const ALARMS = {
  // A sender has no link to its target, or the target takes nothing.
  TARGET_GONE: {
    severity: 'critical',
    cure: 'Check that the other side runs, the network between, the address and its port. It goes on by itself.',
  },
  // Less than a twentieth of the store's disk is free.
  STORE_FILLING: {
    severity: 'warning',
    cure: 'Make room or add some: what does not fit waits at the devices.',
  },
  // A certificate ends within two weeks.
  CERT_EXPIRES: {
    severity: 'warning',
    cure: 'Renew the certificate: it is served within seconds.',
  },
  // Nothing was written to the active directory for --stuck-after.
  PARSER_STUCK: {
    severity: 'warning',
    cure: 'Look at the parser and its disk. Where it writes rarely, raise --stuck-after.',
  },
  // A file waits to be sent for longer than --max-unsent-age.
  OLDEST_UNSENT: {
    severity: 'warning',
    cure: 'Compare the backlog with the rate of the link, and see to the problems of the device; else raise --max-unsent-age.',
  },
  // A device was not connected for --max-silence.
  DEVICE_SILENT: {
    severity: 'warning',
    cure: 'Check that the device is on, has a network, and that isync scan runs there. One that is gone for good: isync token revoke.',
  },
  // Somebody was refused because of a token, within the last hour.
  DEVICE_REFUSED: {
    severity: 'critical',
    cure: 'If it is to go on: isync token add DEVICE --tokens FILE, and give the device that token. Else stop its isync scan.',
  },
  // A device reports a problem that this version does not know.
  DEVICE_PROBLEM: {
    severity: 'warning',
    cure: 'The log of the device and isync status there say more; update this side to know the cure.',
  },
} as const satisfies Readonly<Record<string, AlarmFacts>>;

export type AlarmCode = keyof typeof ALARMS;

/** Errors that stop everything until a person has come. */
const CRITICAL: ReadonlySet<string> = new Set([
  'STORE_FULL',
  'AUTH_REFUSED',
  'READ_ONLY',
  'ROOT_MISSING',
  'MARK_NOT_KEPT',
]);

export function isAlarmCode(code: string): code is AlarmCode {
  return Object.hasOwn(ALARMS, code);
}

function isErrorCode(code: string): code is keyof typeof ERRORS {
  return Object.hasOwn(ERRORS, code);
}

/** Undefined for a code of a newer version. */
export function alarmFacts(code: string): AlarmFacts | undefined {
  if (isAlarmCode(code)) return ALARMS[code];
  if (!isErrorCode(code)) return undefined;
  return { severity: CRITICAL.has(code) ? 'critical' : 'warning', cure: ERRORS[code].cure };
}

/** The alarm of a code that the tables have; any other is told as DEVICE_PROBLEM. */
export function alarmOf(code: string, subject: string, text: string, cure?: string): RaisedAlarm {
  const facts = alarmFacts(code);
  const known = facts === undefined ? 'DEVICE_PROBLEM' : code;
  const { severity, cure: usual } = facts ?? ALARMS.DEVICE_PROBLEM;
  return { code: known, subject, severity, text, cure: cure ?? usual };
}
