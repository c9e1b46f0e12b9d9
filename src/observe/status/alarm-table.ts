import { ERRORS } from '../../model/error-table.ts';
import type { AlarmSeverity } from './report.ts';
import type { Alarms, RaisedAlarm } from './alarms.ts';

interface AlarmFacts {
  readonly severity: AlarmSeverity;
  /** What is in capitals stands for a name. docs/operations.md has the same sentences. */
  readonly cure: string;
}

/** States that no error stands for. The codes are stable: alert rules match on them. Each means the same in every command. */
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
  // The queue that events come from can't be reached.
  QUEUE_GONE: {
    severity: 'critical',
    cure: 'Is it up, and are credentials and network as they should be? It is tried again by itself; the log says why it fails.',
  },
  // What events are about, or what they go to, is away.
  EVENTS_WAIT: {
    severity: 'critical',
    cure: 'Bring back what is away. It is tried again by itself, and the events wait.',
  },
  // Records could not be worked on, and wait for a person.
  PARKED: {
    severity: 'warning',
    cure: 'See why: isync COMMAND parked list. Mend the reason, then isync COMMAND parked replay, or parked drop.',
  },
  // Messages could not be worked on, and are kept as dead.
  DEAD_LETTERS: {
    severity: 'warning',
    cure: 'See why: isync webhook queue dead list. Mend the reason, then isync webhook queue dead replay, or dead drop.',
  },
  // The newest complete backup of a job is older than its maxAge.
  BACKUP_OVERDUE: {
    severity: 'critical',
    cure: 'See why its last runs did not end well: isync backup status, and the log. isync backup run JOB makes one now.',
  },
  // The last run of a job has failed.
  BACKUP_FAILED: {
    severity: 'critical',
    cure: 'See what is lacking: isync backup check --config FILE. The next run goes on where this one ended.',
  },
  // The last run of a job has left something out.
  BACKUP_PROBLEMS: {
    severity: 'warning',
    cure: 'The log has each with its path; isync backup status --config FILE has the rest.',
  },
  // A backup is not as it was made.
  VERIFY_FAILED: {
    severity: 'critical',
    cure: 'Do not rely on it. Make a full backup now: isync backup run JOB --type full. Then look for what damages the store.',
  },
  // The state of a job can't be opened or read.
  JOB_UNREADABLE: {
    severity: 'critical',
    cure: 'The log says why. It is tried again each minute; the other jobs go on.',
  },
  // A store of backups, or the bucket of a mirror, can't be used.
  STORE_GONE: {
    severity: 'critical',
    cure: 'Are network, credentials, rights and mount as they should be? It is tried again by itself.',
  },
  // An origin of a mirror fails, and is left alone for a while.
  ORIGIN_GONE: {
    severity: 'warning',
    cure: 'The log says what it answers. It is tried again by itself; what the bucket has is served meanwhile.',
  },
} as const satisfies Readonly<Record<string, AlarmFacts>>;

export type AlarmCode = keyof typeof ALARMS;
type OwnCode = AlarmCode | keyof typeof ERRORS;

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

/** Raises an alarm of this command where there is a text to it, else clears it. Default: the cure of the table. */
export function setAlarm(
  alarms: Alarms,
  code: OwnCode,
  subject: string,
  text: string | undefined,
  cure?: string,
): void {
  if (text === undefined) alarms.clear(code, subject);
  else alarms.raise(alarmOf(code, subject, text, cure));
}

/** The cure of the table with names for what is in capitals there: `{ COMMAND: 'pull' }`. */
export function cureOf(code: AlarmCode, names: Readonly<Record<string, string>>): string {
  return ALARMS[code].cure.replaceAll(/\b[A-Z]+\b/g, (word) => names[word] ?? word);
}
