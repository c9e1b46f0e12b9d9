import type { Registry } from 'prom-client';
import { measured } from './measured.ts';
import type { ScanStatus } from './scan-status.ts';

/** What each scan has, reckoned when somebody reads it; what is undefined then is not shown. */
const GAUGES: readonly Metric<number | undefined>[] = [
  ['backlog_files', 'Files that wait to be sent', ({ view }) => view?.waiting.files],
  ['backlog_bytes', 'Bytes of those files', ({ view }) => view?.waiting.bytes],
  [
    'oldest_unsent_seconds',
    'For how long the oldest of those files has waited; 0 where none waits',
    ({ view }) => {
      const oldestMs = view?.waiting.oldestMs;
      return view && (oldestMs === undefined ? 0 : Math.max(0, (Date.now() - oldestMs) / 1000));
    },
  ],
  ['problems', 'Problems that keep directories from their seals', ({ view }) => view?.problemCount],
  ['directories_sealed', 'Data directories that are sealed', ({ view }) => view?.sealed],
  ['directories_unsealed', 'Data directories that are not sealed', ({ view }) => view?.unsealed.length],
  [
    'last_write_timestamp_seconds',
    'When the directory that is being filled was written to last',
    ({ view }) => {
      const lastWriteMs = view?.active?.lastWriteMs ?? 0;
      return lastWriteMs === 0 ? undefined : lastWriteMs / 1000;
    },
  ],
  ['link_up', 'Whether there is a way to the target', ({ link }) => (link.isUp ? 1 : 0)],
  [
    'peer_certificate_expiry_timestamp_seconds',
    'When the certificate of the receiver ends',
    ({ link }) => {
      const endsMs = link.peer?.certificateEndsMs;
      return endsMs && endsMs / 1000;
    },
  ],
];

const COUNTERS: readonly Metric<number>[] = [
  ['files_total', 'Files that are durable at the target and marked', ({ files }) => files],
  ['bytes_total', 'Bytes of those files', ({ bytes }) => bytes],
];

type Metric<Value> = readonly [name: string, help: string, value: (status: ScanStatus) => Value];

/** Keeps in `registry` how a scan is. */
export function measureScan(registry: Registry, status: ScanStatus): void {
  const { gauge, counter } = measured(registry, PREFIX);
  for (const [name, help, value] of COUNTERS) counter(name, help, () => value(status));
  for (const [name, help, value] of GAUGES) gauge(name, help, () => value(status));
}

/** The same of several scans, each with its root as a label. */
export function measureScans(registry: Registry, scans: readonly ScanStatus[]): void {
  const { gaugeBy, counterBy } = measured(registry, PREFIX);
  const byRoot = <Value>(value: (status: ScanStatus) => Value) =>
    scans.map((status) => [status.config.root, value(status)] as const);
  for (const [name, help, value] of COUNTERS) counterBy(name, help, 'root', () => byRoot(value));
  for (const [name, help, value] of GAUGES) gaugeBy(name, help, 'root', () => byRoot(value));
}

const PREFIX = 'isync_scan_';
