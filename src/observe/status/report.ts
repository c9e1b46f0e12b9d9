/**
 * What a command that runs long knows of itself at one moment. The status page, `isync status`, its JSON and the alerts all
 * show this and nothing else; each command brings its own cards. Plain JSON; texts may hold names that strangers chose, so
 * whoever shows them escapes them.
 */
export interface StatusReport {
  /** `scan`, `receive`, `pull`, `webhook`, `backup` or `mirror`. */
  readonly command: string;
  /** What it works on, without secrets: `/datas → wss://backup.example:7400 (edge1)`. */
  readonly subject: string;
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601. */
  readonly at: string;
  /** What it does just now. */
  readonly activity: Activity;
  /** What needs a person, the gravest first: at most MAX_ALARMS. */
  readonly alarms: readonly Alarm[];
  /** All of them, with those that `alarms` leaves out. */
  readonly alarmCount: number;
  readonly cards: readonly Card[];
}

export type Activity = 'starting' | 'idle' | 'working' | 'waiting for link' | 'target full' | 'stopping';

export type AlarmSeverity = 'warning' | 'critical';

/** A state that a person should end; it goes by itself once it is no longer so. */
export interface Alarm {
  /** Stable, in capitals: `TARGET_GONE`, `STORE_FULL`, `CERT_EXPIRES`, or the code of the error behind it. */
  readonly code: string;
  readonly severity: AlarmSeverity;
  /** What it is about: a device, a directory, a file, a queue, a job; '' for the whole command. */
  readonly subject: string;
  /** What is wrong. */
  readonly text: string;
  /** What to do about it. */
  readonly cure: string;
  /** ISO 8601. */
  readonly since: string;
}

/** One box of the page. */
export interface Card {
  /** Stable, for programs: `store`. */
  readonly id: string;
  readonly title: string;
  readonly facts: readonly Fact[];
  readonly table?: Table;
}

/** How a number is to be shown. `time` is ms since 1970. */
export type Unit = 'count' | 'bytes' | 'bytesPerSecond' | 'seconds' | 'time';

export interface Fact {
  /** Stable, for programs: `free_bytes`. */
  readonly id: string;
  readonly label: string;
  /** Null: not known (yet). */
  readonly value: string | number | boolean | null;
  readonly unit?: Unit;
}

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  /** Rows in all, with those that `rows` leaves out. */
  readonly total: number;
}

export interface Column {
  readonly id: string;
  readonly label: string;
  readonly unit?: Unit;
}

export interface Row {
  /** Tells the row from all others of its table, and stays: the device's name. */
  readonly key: string;
  /** One for each column. */
  readonly cells: readonly (string | number | boolean | null)[];
  /** Whether a person should look at it. */
  readonly alarmed?: boolean;
}
