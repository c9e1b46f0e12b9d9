import type { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import { isAlarmCode, alarmOf } from '../../observe/status/alarm-table.ts';
import { logAlarms } from '../../observe/status/alarm-log.ts';
import type { RaisedAlarm } from '../../observe/status/alarms.ts';
import { StandingAlarms } from '../../observe/status/standing-alarms.ts';
import type { StatusBoard } from '../../observe/status/status-board.ts';
import { formatCount, formatSeconds } from '../../observe/units.ts';
import type { DeviceReport } from '../../protocol/report.ts';
import type { ScanView } from '../../sender/scan/scan-view.ts';
import { showAddress } from '../../config/target-address.ts';
import { certificateAlarm } from './certificate.ts';
import { LinkWatch } from './link-watch.ts';
import { scanBoard, type ScanParts } from './scan-board.ts';

interface ScanSettings {
  /** Milliseconds; 0: never. */
  readonly maxUnsentAge: number;
  /** Milliseconds; 0: never. */
  readonly stuckAfter: number;
}

export interface ScanStatusOptions {
  readonly config: ScanParts['config'] & ScanSettings;
  readonly sentBytes: () => number;
  /** When our own certificate ends, in ms since 1970; undefined without one. */
  readonly certificateEndsMs: () => number | undefined;
  readonly log: Log;
}

/** How a scan is: its board and alarms, and what it reports to its receiver. */
export class ScanStatus {
  readonly board: StatusBoard;
  readonly link: LinkWatch;
  readonly #options: ScanStatusOptions;
  readonly #standing: StandingAlarms;
  #view: ScanView | undefined;
  #failure: IsyncError | undefined;
  #filesBefore = 0;
  #bytesBefore = 0;

  constructor(options: ScanStatusOptions) {
    const { config, sentBytes, log } = options;
    this.#options = options;
    this.link = new LinkWatch(showAddress(config.to), config.to.kind === 'receiver');
    this.board = scanBoard({ config, link: this.link, sentBytes, view: () => this.#view });
    this.#standing = new StandingAlarms(this.board.alarms);
    // What an error stands for is in the log already.
    logAlarms(this.board.alarms, log, ({ code }) => isAlarmCode(code));
  }

  /** The scan begins, maybe anew. */
  begin(view: ScanView): void {
    this.#filesBefore = this.files;
    this.#bytesBefore = this.bytes;
    this.#view = view;
  }

  /** Files that were sent since this process began. */
  get files(): number {
    return this.#filesBefore + (this.#view?.files ?? 0);
  }

  /** Bytes of those files. */
  get bytes(): number {
    return this.#bytesBefore + (this.#view?.bytes ?? 0);
  }

  get view(): ScanView | undefined {
    return this.#view;
  }

  get config(): ScanParts['config'] {
    return this.#options.config;
  }

  /** Why the scan has ended and waits to begin anew; undefined: it runs. */
  set failure(failure: IsyncError | undefined) {
    this.#failure = failure;
    this.look();
  }

  /** Why nothing can be sent now; undefined where it can. */
  notReady(): string | undefined {
    return this.#failure?.message ?? this.link.notReady();
  }

  /** Raises and clears alarms. */
  look(): void {
    this.#standing.set(this.#alarms());
  }

  /** What the receiver is told. */
  report(): DeviceReport {
    this.look();
    const view = this.#view;
    const waiting = view?.waiting;
    const oldestMs = waiting?.oldestMs;
    const { alarms } = this.board;
    return {
      files: waiting?.files ?? 0,
      bytes: waiting?.bytes ?? 0,
      oldestSeconds: oldestMs === undefined ? undefined : secondsSince(oldestMs),
      directory: view?.active?.name,
      sealed: view?.sealed ?? 0,
      unsealed: view?.unsealed.length ?? 0,
      problems: alarms.list().map(({ code, subject, text }) => ({ code, subject, text })),
      problemCount: Math.max(alarms.count, view?.problemCount ?? 0),
    };
  }

  *#alarms(): Generator<RaisedAlarm> {
    const { certificateEndsMs, config } = this.#options;
    yield* this.link.alarms();
    if (this.#failure !== undefined) {
      const { code, message, hint } = this.#failure;
      yield alarmOf(code, '', message, hint);
    }
    const certificates = [
      certificateAlarm('the certificate of the receiver', this.link.peer?.certificateEndsMs),
      certificateAlarm('the certificate of this device', certificateEndsMs()),
    ];
    for (const alarm of certificates) if (alarm !== undefined) yield alarm;
    if (this.#view !== undefined) yield* alarmsOf(this.#view, config);
  }
}

function* alarmsOf(view: ScanView, { maxUnsentAge, stuckAfter }: ScanSettings): Generator<RaisedAlarm> {
  const { active } = view;
  const { oldestMs, files } = view.waiting;
  if (stuckAfter > 0 && active !== undefined && active.lastWriteMs > 0) {
    const seconds = secondsSince(active.lastWriteMs);
    if (seconds * 1000 > stuckAfter)
      yield alarmOf(
        'PARSER_STUCK',
        active.name,
        `nothing has been written to "${active.name}" for ${formatSeconds(seconds)}`,
      );
  }
  if (maxUnsentAge > 0 && oldestMs !== undefined && secondsSince(oldestMs) * 1000 > maxUnsentAge)
    yield alarmOf(
      'OLDEST_UNSENT',
      '',
      `the oldest of ${formatCount(files, 'file')} that are not sent waits for ${formatSeconds(secondsSince(oldestMs))}`,
    );
  for (const [code, { first, count }] of view.problems) {
    const one = `${first.path}: ${first.message}`;
    yield alarmOf(code, '', count === 1 ? one : `${formatCount(count, 'problem')}, like ${one}`);
  }
}

function secondsSince(ms: number): number {
  return Math.max(0, Math.round((Date.now() - ms) / 1000));
}
