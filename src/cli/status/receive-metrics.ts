import type { Registry } from 'prom-client';
import type { Device } from '../../receiver/devices/device.ts';
import { measured } from './measured.ts';
import type { ReceiveParts } from './receive-board.ts';

/** Devices that have time series of their own; of more the rest is only in the sums. Each has some ten. */
export const MAX_LABELLED = 1_000;

/** Keeps in `registry` what a receiver knows, reckoned when somebody reads it. */
export function measureReceive(
  registry: Registry,
  { devices, store, retired, certificateEndsMs }: Omit<ReceiveParts, 'config' | 'url'>,
): void {
  const { gauge, counter, gaugeBy, counterBy } = measured(registry, 'isync_receive_');
  const shown = new Set<Device>();
  /** The same ones each time: a series that comes and goes is of no use. */
  const labelled = (): Set<Device> => {
    const known = new Set(devices.all);
    for (const device of shown) if (!known.has(device)) shown.delete(device);
    for (const device of known) {
      if (shown.size >= MAX_LABELLED) break;
      shown.add(device);
    }
    return shown;
  };
  function* each<T>(of: (device: Device) => T): Generator<readonly [string, T]> {
    for (const device of labelled()) yield [device.name, of(device)];
  }
  const sum = (of: (device: Device) => number): number => {
    let total = 0;
    for (const device of devices.all) total += of(device);
    return total;
  };

  gauge('devices', 'Devices that are known', () => devices.size);
  gauge('devices_connected', 'Devices that are connected', () => sum(({ connected }) => Number(connected)));
  counterBy('files_total', 'Files kept', 'device', () => each(({ files }) => files));
  counterBy('bytes_total', 'Bytes of those files', 'device', () => each(({ bytes }) => bytes));
  gaugeBy('device_connected', 'Whether it is connected', 'device', () =>
    each(({ connected }) => Number(connected)),
  );
  gaugeBy('device_last_seen_timestamp_seconds', 'When it was connected last', 'device', () =>
    each((device) => device.seenMs(Date.now()) / 1000),
  );
  gaugeBy('device_last_file_timestamp_seconds', 'When its last file was kept', 'device', () =>
    each(({ fileMs }) => fileMs && fileMs / 1000),
  );
  gaugeBy('device_backlog_files', 'Files that wait at it, as it reports', 'device', () =>
    each(({ report }) => report?.files),
  );
  gaugeBy('device_backlog_bytes', 'Bytes of those files', 'device', () =>
    each(({ report }) => report?.bytes),
  );
  gaugeBy('device_oldest_unsent_seconds', 'For how long the oldest of them has waited', 'device', () =>
    each((device) => (device.report === undefined ? undefined : (device.oldestSeconds(Date.now()) ?? 0))),
  );
  gaugeBy('device_problems', 'Problems that it reports', 'device', () =>
    each(({ report }) => report?.problemCount),
  );
  gaugeBy('device_directories_unsealed', 'Its data directories that are not sealed', 'device', () =>
    each(({ report }) => report?.unsealed),
  );
  gauge('store_free_bytes', 'Free space at the store; of a folder only', () => store.space?.freeBytes);
  gauge('store_size_bytes', 'Size of its disk', () => store.space?.sizeBytes);
  gauge('store_up', 'Whether the store can be used', () => Number(store.fault === undefined));
  counter(
    'retired_directories_total',
    'Data directories that --retain has removed',
    () => retired()?.directories ?? 0,
  );
  counter('retired_bytes_total', 'Bytes of their files', () => retired()?.bytes ?? 0);
  gauge('certificate_expiry_timestamp_seconds', 'When the certificate of this receiver ends', () => {
    const endsMs = certificateEndsMs();
    return endsMs === undefined ? undefined : endsMs / 1000;
  });
}
