import { Registry } from 'prom-client';
import { startStatus, type StatusOptions, type StatusServer } from '../../src/cli/status-server.ts';
import { ALARMS } from '../../src/observe/status/alarm-table.ts';
import type { Row } from '../../src/observe/status/report.ts';
import { StatusBoard } from '../../src/observe/status/status-board.ts';
import { RecordingLog } from '../recording-log.ts';

/** A receiver with as many devices as wanted, as a person would see it. */
export class SampleBoard extends StatusBoard {
  rows: Row[];
  /** Bytes a second. */
  rate = 9_400_000;

  constructor(devices: number) {
    super({ command: 'receive', subject: '/srv/backup', version: '0.1.0' });
    this.activity = () => 'working';
    const nowMs = Date.now();
    this.rows = Array.from({ length: devices }, (_, index) => deviceRow(nameOf(index), index, nowMs));
    this.add(() => ({
      id: 'store',
      title: 'Store',
      facts: [
        { id: 'rate', label: 'Rate', value: this.rate, unit: 'bytesPerSecond' },
        { id: 'today', label: 'Files today', value: 184_302, unit: 'count' },
        { id: 'free', label: 'Free', value: 412_300_000_000, unit: 'bytes' },
        { id: 'writable', label: 'Can be written', value: true },
        { id: 'quota', label: 'Quota of a device', value: null, unit: 'bytes' },
      ],
    }));
    this.add(() => ({
      id: 'link',
      title: 'Listening',
      facts: [
        { id: 'url', label: 'Address', value: 'wss://backup.example:7400' },
        { id: 'sessions', label: 'Devices connected', value: devices, unit: 'count' },
        { id: 'certificate', label: 'Certificate ends', value: nowMs + 61 * 86_400_000, unit: 'time' },
      ],
    }));
    this.add(() => ({
      id: 'devices',
      title: 'Devices',
      facts: [],
      table: {
        columns: [
          { id: 'device', label: 'Device' },
          { id: 'connected', label: 'Connected' },
          { id: 'seen', label: 'Last seen', unit: 'time' },
          { id: 'directory', label: 'Directory' },
          { id: 'rate', label: 'Rate', unit: 'bytesPerSecond' },
          { id: 'files', label: 'Files today', unit: 'count' },
          { id: 'backlog', label: 'Backlog', unit: 'bytes' },
          { id: 'oldest', label: 'Oldest unsent', unit: 'seconds' },
        ],
        rows: this.rows,
        total: this.rows.length,
      },
    }));
  }

  /** Sets a cell of a device. */
  set(index: number, column: number, value: Row['cells'][number]): void {
    const row = this.rows[index];
    if (row !== undefined)
      this.rows = this.rows.with(index, { ...row, cells: row.cells.with(column, value) });
  }

  raiseSamples(): void {
    this.alarms.raise({
      code: 'CERT_EXPIRES',
      severity: 'warning',
      subject: 'wss://backup.example:7400',
      text: 'The certificate of this receiver ends in 6 days.',
      cure: ALARMS.CERT_EXPIRES.cure,
    });
    this.alarms.raise({
      code: 'DEVICE_SILENT',
      severity: 'critical',
      subject: nameOf(3),
      text: `${nameOf(3)} has sent nothing for 3 days.`,
      cure: 'Is it switched on, and does its link work? There, "isync status" says more.',
    });
    const row = this.rows[3];
    if (row !== undefined) this.rows = this.rows.with(3, { ...row, alarmed: true });
  }
}

export function nameOf(index: number): string {
  return `edge-${String(index).padStart(4, '0')}`;
}

function deviceRow(device: string, index: number, nowMs: number): Row {
  const isHere = index % 7 !== 3;
  return {
    key: device,
    cells: [
      device,
      isHere,
      nowMs - (isHere ? index * 900 : 3 * 86_400_000),
      `DC${120 + (index % 9)}`,
      isHere ? ((index * 7919) % 1000) * 1_500 : 0,
      (index * 613) % 4_000,
      isHere ? 0 : index * 1_300_000,
      isHere ? 0 : 3 * 86_400,
    ],
  };
}

export async function serveBoard(
  board: StatusBoard,
  options: Partial<StatusOptions> = {},
): Promise<StatusServer> {
  return await startStatus({
    listen: { host: '127.0.0.1', port: 0 },
    token: undefined,
    board,
    metrics: new Registry(),
    notReady: () => undefined,
    log: new RecordingLog(),
    ...options,
  });
}
