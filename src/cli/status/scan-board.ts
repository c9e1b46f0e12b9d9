import { showAddress, type TargetAddress } from '../../config/target-address.ts';
import { rateWindow } from '../../observe/status/rate-window.ts';
import type { StatusBoard } from '../../observe/status/status-board.ts';
import { newBoard } from './new-board.ts';

interface ScanSettings {
  readonly root: string;
  readonly to: TargetAddress;
  readonly device: string;
}

/** What a scan has done so far. */
export interface ScanCounts {
  readonly files: number;
  readonly bytes: number;
  /** Bytes to send in all, where that is known. */
  readonly totalBytes: number | undefined;
  readonly directoriesLeft: number;
}

export function scanBoard({ root, to, device }: ScanSettings, counts: ScanCounts): StatusBoard {
  const board = newBoard('scan', `${root} → ${showAddress(to)} (${device})`);
  const rate = rateWindow(() => counts.bytes);
  board.activity = () => ((rate() ?? 0) > 0 ? 'working' : 'idle');
  board.add(() => ({
    id: 'sent',
    title: 'Sent',
    facts: [
      { id: 'rate', label: 'Rate', value: rate(), unit: 'bytesPerSecond' },
      { id: 'files', label: 'Files since start', value: counts.files, unit: 'count' },
      { id: 'bytes', label: 'Bytes since start', value: counts.bytes, unit: 'bytes' },
      {
        id: 'directories_left',
        label: 'Directories not sealed',
        value: counts.directoriesLeft,
        unit: 'count',
      },
    ],
  }));
  return board;
}
