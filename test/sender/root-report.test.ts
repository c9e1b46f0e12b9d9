import { describe, expect, it } from 'vitest';
import type { DataDirectories } from '../../src/scanner/list-data-directories.ts';
import { RootReport } from '../../src/sender/scan/root-report.ts';
import { optionsFor, setup } from './scan-fixture.ts';

const EMPTY: DataDirectories = { directories: [], problems: [], looseFiles: 0, markers: false };
const UNREADABLE: DataDirectories = {
  ...EMPTY,
  problems: [{ path: 'DC1', code: 'FILE_UNREADABLE', message: 'EACCES' }],
};

/** What is told after each of these listings. */
function told(once: boolean, ...listings: readonly DataDirectories[]): string[] {
  const { root, target } = setup();
  const { options, log } = optionsFor(root, target, { once });
  const report = new RootReport(options);
  for (const found of listings) report.looked(found);
  return log.messages;
}

describe('the report on a root', () => {
  it('is nothing where directories are, or are there and can not be looked into', () => {
    expect(told(true, UNREADABLE)).toEqual([]);
  });

  it('tells each thing once, however often it is found', () => {
    const loose = { ...UNREADABLE, looseFiles: 2 };
    expect(told(false, EMPTY, EMPTY, loose, { ...loose, looseFiles: 3 }, EMPTY)).toEqual([
      expect.stringMatching(/^no data directories in /),
      '2 files lie in the root itself and are not sent; put them into a directory',
    ]);
  });

  it('does not end a scan that works when a marker comes into its root', () => {
    expect(told(false, UNREADABLE, { ...UNREADABLE, markers: true })).toEqual([
      expect.stringContaining('so it looks like a data directory itself. Give its parent: isync scan /'),
    ]);
    expect(() => told(false, { ...UNREADABLE, markers: true })).toThrow('looks like a data directory itself');
  });
});
