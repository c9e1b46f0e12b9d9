import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { BandwidthLimits } from '../../src/cli/scan/bandwidth-limits.ts';
import { OneScan } from '../../src/cli/scan/one-scan.ts';
import { takeScans } from '../../src/cli/scan/take-scans.ts';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readScans, type ScansConfig } from '../../src/config/read-scans.ts';
import { KeptOpen } from '../../src/sender/kept-open.ts';
import { RecordingLog } from '../recording-log.ts';
import { settingsFor } from './commands.ts';
import { temporaryFolder } from './temporary-folder.ts';

function read(bwlimit: string, ofA: object = {}): ScansConfig {
  const path = join(temporaryFolder(), 'isync.yaml');
  const scans = [
    { root: '/a', to: '/to', device: 'a', ...ofA },
    { root: '/b', to: '/to', device: 'b' },
  ];
  writeFileSync(path, JSON.stringify({ scan: { bwlimit }, scans }));
  const sources = { flags: { config: path }, environment: {}, readFile: readConfigFile };
  return readScans(settingsFor('scan'), sources);
}

it('a limit of its own in the place of the shared one leaves that as the last reload had it', () => {
  const limits = new BandwidthLimits();
  const { signal } = new AbortController();
  const scans = read('1MiB/s').scans.all.map(
    (listed) =>
      new OneScan({
        listed,
        apart: undefined,
        limits,
        keptOpen: new KeptOpen(undefined),
        signal,
        cut: signal,
        onOpened: () => {},
        log: new RecordingLog(),
      }),
  );
  const set = vi.spyOn(limits, 'set');
  expect(takeScans(scans, true, read('2MiB/s')).taken).toEqual(['/a: bwlimit', '/b: bwlimit']);
  expect(set).toHaveBeenCalledTimes(2);
  const own = takeScans(scans, true, read('2MiB/s', { bwlimit: '9MiB/s' }));
  expect(own).toEqual({ taken: [], lasting: ['/a: bwlimit'] });
  expect(set).toHaveBeenCalledTimes(2);
  const both = takeScans(scans, true, read('3MiB/s', { bwlimit: '9MiB/s' }));
  expect(both).toEqual({ taken: ['/b: bwlimit'], lasting: ['/a: bwlimit'] });
  expect(set).toHaveBeenCalledTimes(3);
  expect(takeScans(scans, true, read('3MiB/s'))).toEqual({ taken: ['/a: bwlimit'], lasting: [] });
});
