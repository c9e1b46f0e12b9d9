import type { Registry } from 'prom-client';
import { measured } from './measured.ts';
import type { ScanStatus } from './scan-status.ts';

/** Keeps in `registry` how a scan is, reckoned when somebody reads it. */
export function measureScan(registry: Registry, status: ScanStatus): void {
  const { gauge, counter } = measured(registry, 'isync_scan_');
  const { link } = status;
  counter('files_total', 'Files that are durable at the target and marked', () => status.view?.files ?? 0);
  counter('bytes_total', 'Bytes of those files', () => status.view?.bytes ?? 0);
  gauge('backlog_files', 'Files that wait to be sent', () => status.view?.waiting.files);
  gauge('backlog_bytes', 'Bytes of those files', () => status.view?.waiting.bytes);
  gauge(
    'oldest_unsent_seconds',
    'For how long the oldest of those files has waited; 0 where none waits',
    () => {
      const { view } = status;
      const oldestMs = view?.waiting.oldestMs;
      return view && (oldestMs === undefined ? 0 : Math.max(0, (Date.now() - oldestMs) / 1000));
    },
  );
  gauge('problems', 'Problems that keep directories from their seals', () => status.view?.problemCount);
  gauge('directories_sealed', 'Data directories that are sealed', () => status.view?.sealed);
  gauge('directories_unsealed', 'Data directories that are not sealed', () => status.view?.unsealed.length);
  gauge('last_write_timestamp_seconds', 'When the directory that is being filled was written to last', () => {
    const lastWriteMs = status.view?.active?.lastWriteMs ?? 0;
    return lastWriteMs === 0 ? undefined : lastWriteMs / 1000;
  });
  gauge('link_up', 'Whether there is a way to the target', () => (link.isUp ? 1 : 0));
  gauge('peer_certificate_expiry_timestamp_seconds', 'When the certificate of the receiver ends', () => {
    const endsMs = link.peer?.certificateEndsMs;
    return endsMs && endsMs / 1000;
  });
}
