import { describe, expect, it } from 'vitest';
import { backupName, highestVersionIn } from '../../src/backup/names/backup-name.ts';

const TEMPLATE = '{system}_{type}_{timestamp}_{version}';
const BACKUP = {
  system: 'app_data',
  type: 'full',
  startedMs: Date.UTC(2025, 3, 5, 12),
  timezone: 'Asia/Shanghai',
  version: 1,
  compress: 'gzip',
  isEncrypted: false,
} as const;

describe('the name of a backup', () => {
  it.each([
    [{}, 'app_data_full_20250405T120000Z_001.tar.gz'],
    [{ compress: 'zstd' as const }, 'app_data_full_20250405T120000Z_001.tar.zst'],
    [{ compress: 'none' as const, isEncrypted: true }, 'app_data_full_20250405T120000Z_001.tar.age'],
    [{ type: 'incremental' as const, version: 1234 }, 'app_data_incremental_20250405T120000Z_1234.tar.gz'],
  ])('of %j is %s', (change, name) => {
    expect(backupName(TEMPLATE, { ...BACKUP, ...change })).toBe(name);
  });

  it('may have the local time', () => {
    expect(backupName('{localtime}-{version}', BACKUP)).toBe('20250405T200000-001.tar.gz');
    // Midnight is the beginning of a day.
    const startedMs = Date.UTC(2025, 3, 5, 16);
    expect(backupName('{localtime}-{version}', { ...BACKUP, startedMs })).toBe('20250406T000000-001.tar.gz');
  });

  it('takes a system as it is, also where it is called as a field', () => {
    expect(backupName('{system}.{version}', { ...BACKUP, system: '$&{type}' })).toBe('$&{type}.001.tar.gz');
  });
});

describe('the highest version', () => {
  it('is that of any object, with a manifest or without', () => {
    const keys = [
      'job.json',
      'app_data_full_20250405T120000Z_001.tar.zst',
      'app_data_full_20250405T120000Z_001.tar.zst.manifest',
      'app_data_incremental_20250406T120000Z_1007.tar.zst.age',
      'app_data_full_20250407T120000Z_999.tar.zst.age.files',
      'note_5000.txt',
    ];
    expect(highestVersionIn(keys, TEMPLATE, 'app_data')).toBe(1007);
    expect(highestVersionIn([], TEMPLATE, 'app_data')).toBe(0);
  });

  it('is found by the template, and by the usual end of names of other templates', () => {
    const keys = ['v12-app.tar', 'app_full_20250405T120000Z_044.tar.gz', 'v7-app.tar'];
    expect(highestVersionIn(keys, 'v{version}-{system}', 'app')).toBe(44);
    expect(highestVersionIn(['v12-app.tar'], 'v{version}-{system}', 'app')).toBe(12);
  });

  it('is no number that a double can not tell from others', () => {
    expect(highestVersionIn([`a_${'9'.repeat(40)}.tar`, 'a_2.tar'], TEMPLATE, 'a')).toBe(2);
  });

  it('is that of every name which was made with it', () => {
    const templates = [
      TEMPLATE,
      'a.{version}',
      '{version}_{localtime}',
      '{type}{version}',
      '{localtime}{version}',
      '{system}_{version}_{type}',
    ];
    for (const template of templates)
      for (const version of [1, 42, 999, 1000, 123_456]) {
        const backup = { ...BACKUP, system: 'app_7', version };
        expect(highestVersionIn([backupName(template, backup)], template, 'app_7'), `of ${template}`).toBe(
          version,
        );
      }
  });
});
