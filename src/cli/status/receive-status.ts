import type { Log } from '../../model/log.ts';
import { alarmOf } from '../../observe/status/alarm-table.ts';
import { logAlarms } from '../../observe/status/alarm-log.ts';
import type { RaisedAlarm } from '../../observe/status/alarms.ts';
import { StandingAlarms } from '../../observe/status/standing-alarms.ts';
import type { StatusBoard } from '../../observe/status/status-board.ts';
import { formatCount, formatSeconds } from '../../observe/units.ts';
import type { Device } from '../../receiver/devices/device.ts';
import { certificateAlarm } from './certificate.ts';
import type { StatusParts } from './open-status.ts';
import { receiveBoard, type ReceiveParts } from './receive-board.ts';

/** A device that has been away for so long, in ms, is forgotten, and no alarm any more. */
const FORGOTTEN_MS = 90 * 24 * 3600 * 1000;

export interface ReceiveStatusOptions extends ReceiveParts {
  /** Whether a device has a token; undefined where the receiver has no tokens. */
  readonly hasToken: ((device: string) => boolean) | undefined;
  readonly log: Log;
}

/** How a receiver is: its board and alarms. */
export class ReceiveStatus {
  readonly board: StatusBoard;
  readonly options: ReceiveStatusOptions;
  readonly #standing: StandingAlarms;

  constructor(options: ReceiveStatusOptions) {
    this.options = options;
    this.board = receiveBoard(options);
    this.#standing = new StandingAlarms(this.board.alarms);
    // What the store refuses is in the log already.
    logAlarms(this.board.alarms, options.log, ({ code }) => code !== 'STORE_FULL');
  }

  async parts(): Promise<StatusParts> {
    const { config, store, url } = this.options;
    const metrics = config.status === undefined ? undefined : await this.#metrics();
    const notReady = (): string | undefined => (url() === undefined ? 'it does not listen yet' : store.fault);
    return { board: this.board, look: () => this.#look(), metrics, notReady };
  }

  async #look(): Promise<void> {
    const { store, devices } = this.options;
    await store.look();
    devices.tick();
    this.#standing.set(this.#alarms());
  }

  async #metrics() {
    const [prom, { measureReceive }] = await Promise.all([
      import('prom-client'),
      import('./receive-metrics.ts'),
    ]);
    const registry = new prom.Registry();
    measureReceive(registry, this.options);
    return registry;
  }

  *#alarms(): Generator<RaisedAlarm> {
    const { devices, store, certificateEndsMs } = this.options;
    const nowMs = Date.now();
    yield* store.alarms();
    const certificate = certificateAlarm('the certificate of this receiver', certificateEndsMs());
    if (certificate !== undefined) yield certificate;
    for (const device of devices.all) {
      if (nowMs - device.seenMs(nowMs) > FORGOTTEN_MS) devices.forget(device.name);
      else yield* this.#alarmsOf(device, nowMs);
    }
    const strangers = [...devices.strangers];
    const [last, { reason, tries } = { reason: '', tries: 0 }] = strangers.at(-1) ?? [];
    // One for all of them: anybody on the network can add to them.
    if (last !== undefined)
      yield alarmOf(
        'DEVICE_REFUSED',
        '',
        `senders at ${formatCount(strangers.length, 'address', 'addresses')} were refused within the last hour, the last at ${last} ${formatCount(tries, 'time')}: ${reason}`,
      );
  }

  *#alarmsOf(device: Device, nowMs: number): Generator<RaisedAlarm> {
    const { config, hasToken } = this.options;
    const { name, full, refused, problems, report } = device;
    if (full !== undefined) yield alarmOf('STORE_FULL', name, `no room for files of ${name}: ${full.reason}`);
    if (refused !== undefined)
      yield alarmOf('DEVICE_REFUSED', name, `${name} was refused: ${refused.reason}`);
    const silentMs = nowMs - device.seenMs(nowMs);
    // Who has no token any more is not expected to come.
    if (config.maxSilence > 0 && silentMs > config.maxSilence && hasToken?.(name) !== false)
      yield alarmOf(
        'DEVICE_SILENT',
        name,
        `${name} has not been connected for ${formatSeconds(silentMs / 1000)}`,
      );
    const oldestSeconds = device.oldestSeconds(nowMs);
    if (config.maxUnsentAge > 0 && oldestSeconds !== undefined && oldestSeconds * 1000 > config.maxUnsentAge)
      yield alarmOf(
        'OLDEST_UNSENT',
        name,
        `the oldest of ${formatCount(report?.files ?? 0, 'file')} that ${name} has not sent waits for ${formatSeconds(oldestSeconds)}`,
      );
    const told = new Set(['STORE_FULL', 'OLDEST_UNSENT']);
    for (const { code, text } of problems) {
      // One of each is enough: the device itself says more.
      if (told.has(code)) continue;
      told.add(code);
      yield alarmOf(code, name, `${name}: ${text}`);
    }
  }
}
