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
import type { StatusParts } from './open-status.ts';
import { scanBoard, type ScanParts } from './scan-board.ts';

interface ScanSettings {
  /** Milliseconds; 0: never. */
  readonly maxUnsentAge: number;
  /** Milliseconds; 0: never. */
  readonly stuckAfter: number;
  readonly status?: unknown;
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

  constructor(options: ScanStatusOptions) {
    const { config, sentBytes, log } = options;
    this.#options = options;
    this.link = new LinkWatch(showAddress(config.to), config.to.kind === 'receiver');
    this.board = scanBoard({ config, link: this.link, sentBytes, view: () => this.#view });
    this.#standing = new StandingAlarms(this.board.alarms);
    // What an error stands for is in the log already.
    logAlarms(this.board.alarms, log, ({ code }) => isAlarmCode(code));
  }

  /** The scan begins. */
  begin(view: ScanView): void {
    this.#view = view;
  }

  get view(): ScanView | undefined {
    return this.#view;
  }

  async parts(): Promise<StatusParts> {
    const metrics = this.#options.config.status === undefined ? undefined : await this.#metrics();
    return { board: this.board, look: () => this.look(), metrics, notReady: () => this.link.notReady() };
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

  async #metrics() {
    const [prom, { measureScan }] = await Promise.all([import('prom-client'), import('./scan-metrics.ts')]);
    const registry = new prom.Registry();
    measureScan(registry, this);
    return registry;
  }

  *#alarms(): Generator<RaisedAlarm> {
    const { certificateEndsMs, config } = this.#options;
    yield* this.link.alarms();
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
