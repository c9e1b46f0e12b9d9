import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readScans, type ScansConfig } from '../../src/config/read-scans.ts';
import { settingsFor } from '../cli/commands.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

interface Given {
  readonly file?: object;
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
}

function read({ file, flags = {}, environment = {} }: Given): ScansConfig {
  const path = join(temporaryFolder(), 'isync.yaml');
  if (file !== undefined) writeFileSync(path, JSON.stringify(file));
  const given = { ...flags, ...(file !== undefined && { config: path }) };
  const sources = { flags: given, environment, readFile: readConfigFile };
  return readScans(settingsFor('scan'), sources);
}

const A = { root: '/a', to: '/to', device: 'a' };
const B = { root: '/b', to: '/to', device: 'b' };

describe('the settings of isync scan', () => {
  it('are one scan without a list', () => {
    const { scans, once } = read({ flags: { root: '/r', to: '/to', once: true } });
    expect({ isList: scans.isList, once }).toEqual({ isList: false, once: true });
    expect(scans.all).toMatchObject([{ config: { root: '/r' }, sharesBandwidth: true }]);
  });

  it('are a list also with one scan', () => {
    expect(read({ file: { scans: [A] } }).scans).toMatchObject({
      isList: true,
      all: [{ config: { root: '/a' } }],
    });
  });

  it('are of each scan what it has itself, then flags, environment and section', () => {
    const { scans } = read({
      flags: { 'token-file': '/flag', settle: '1s' },
      environment: { ISYNC_QUIET: '7s' },
      file: {
        scan: { quiet: '8s', newest: 'name' },
        scans: [{ ...A, 'token-file': '/own', settle: '2s' }, B],
      },
    });
    expect(scans.all.map(({ config }) => config)).toMatchObject([
      { tokenFile: '/own', settle: 2000, quiet: 7000, newest: 'name' },
      { tokenFile: '/flag', settle: 1000, quiet: 7000, newest: 'name' },
    ]);
  });

  it('prefer the file with a token that a scan names to the token of all', () => {
    const token = 'x'.repeat(43);
    const { scans } = read({
      environment: { ISYNC_TOKEN: token },
      file: {
        scans: [
          { ...A, to: 'wss://h', 'token-file': '/own' },
          { ...B, to: 'wss://h' },
        ],
      },
    });
    expect(scans.all.map(({ config }) => config.token !== undefined)).toEqual([false, true]);
  });

  it('tell which scans share the bandwidth of the process', () => {
    const { scans } = read({ flags: { bwlimit: '1MB/s' }, file: { scans: [A, { ...B, bwlimit: '2MB/s' }] } });
    expect(scans.all.map(({ sharesBandwidth }) => sharesBandwidth)).toEqual([true, false]);
  });

  it('may reach the same name of a bucket at two endpoints, as one device', () => {
    const bucket = { to: 's3://bucket', device: 'a' };
    const [x, y] = ['https://x.example', 'https://y.example'];
    const all = (second: string) =>
      read({
        file: {
          scans: [
            { ...bucket, root: '/a', 's3-endpoint': x },
            { ...bucket, root: '/b', 's3-endpoint': second },
          ],
        },
      }).scans.all;
    expect(all(y)).toHaveLength(2);
    expect(() => all(x)).toThrow('scans[1].device: "a" sends to s3://bucket in scans[0] already');
  });

  it('know a bucket by its own endpoint, whether an option or a named store has it', () => {
    const endpoint = 'https://x.example';
    const twoOf = (url: string, first: object = { 's3-endpoint': endpoint }) =>
      read({
        file: {
          stores: { main: { url, endpoint } },
          scans: [
            { root: '/a', to: 's3://bucket/p', device: 'a', ...first },
            { root: '/b', to: 'store:main', device: 'a' },
          ],
        },
      }).scans.all;
    const twice = 'scans[1].device: "a" sends to s3://bucket/p in scans[0] already';
    expect(() => twoOf('s3://bucket/p')).toThrow(twice);
    expect(() => twoOf('s3://bucket/p', { 's3-endpoint': `${endpoint}:443/` })).toThrow(twice);
    expect(() => twoOf('s3://bucket/p', { to: 'store:main', 's3-endpoint': endpoint })).toThrow(twice);
    expect(twoOf('s3://bucket/q')).toHaveLength(2);
    expect(twoOf('s3://bucket/p', {})).toHaveLength(2);
  });

  it('are those of the example in docs/operations.md', () => {
    const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const path = join(temporaryFolder(), 'isync.yaml');
    writeFileSync(path, /^```yaml\n(scan: [^`]*scans:[^`]*)^```/m.exec(text)?.[1] ?? '');
    const sources = { flags: { config: path }, environment: {}, readFile: readConfigFile };
    const { scans } = readScans(settingsFor('scan'), sources);
    expect(scans.all.map(({ config: { root, to } }) => [root, to.kind])).toEqual([
      ['/datas', 'receiver'],
      ['/camera', 's3'],
    ]);
  });

  it('refuse more scans than a process is made for', () => {
    const scans = Array.from({ length: 33 }, (_, index) => ({
      ...A,
      root: `/${index}`,
      device: `d${index}`,
    }));
    expect(() => read({ file: { scans } })).toThrow('scans: has more than 32 scans');
  });
});
