import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allDay } from '../../src/flow/bandwidth.ts';
import { defaultDevice } from '../../src/config/default-device.ts';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { readOwnToken, readTokenFile } from '../../src/config/token-file.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { SCHEMAS, settingsFor } from '../cli/commands.ts';

type Texts = Readonly<Record<string, unknown>>;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'isync-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function scan(flags: Texts, environment: Record<string, string> = {}, file?: string) {
  const config = file === undefined ? {} : { config: write('isync.yaml', file) };
  const given = { root: '/datas', to: '/mnt', ...flags, ...config };
  const sources = { flags: given, environment, readFile: readConfigFile };
  return readConfig(SCHEMAS.scan, settingsFor('scan'), sources);
}

function faultOf(attempt: () => unknown): IsyncError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof IsyncError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('defaults', () => {
  it('are those that the documentation promises', () => {
    expect(scan({})).toEqual({
      root: '/datas',
      to: { kind: 'folder', path: '/mnt' },
      device: defaultDevice(hostname()),
      once: false,
      tag: '',
      complete: 'auto',
      settle: 250,
      quiet: 600_000,
      newest: 'birthtime',
      marks: 'verify',
      maxWatched: 64,
      reopen: false,
      replaceDamaged: false,
      ignore: [],
      defaultIgnore: true,
      compress: false,
      maxUnsentAge: 86_400_000,
      stuckAfter: 21_600_000,
      digest: 'xxh64',
      json: false,
      logLevel: 'info',
      logFormat: 'auto',
      stats: 60_000,
    });
    expect(
      readConfig(SCHEMAS.receive, settingsFor('receive'), { flags: { store: '/s' }, environment: {} }),
    ).toEqual({
      store: { kind: 'folder', path: '/s' },
      listen: { host: '127.0.0.1', port: 7400 },
      insecure: false,
      immutable: false,
      maxUnsentAge: 86_400_000,
      maxSilence: 86_400_000,
      json: false,
      logLevel: 'info',
      logFormat: 'auto',
    });
  });
});

describe('precedence', () => {
  it.each([
    ['the flag', { settle: '1' }, { ISYNC_SETTLE: '2' }, 'scan: {settle: 3}', 1],
    ['the environment', {}, { ISYNC_SETTLE: '2' }, 'scan: {settle: 3}', 2],
    ['the file', {}, {}, 'scan: {settle: 3}', 3],
    ['the default', {}, {}, 'scan: {}', 250],
    ['the file before an empty variable', {}, { ISYNC_SETTLE: '' }, 'scan: {settle: 3}', 3],
  ])('%s wins', (_, flags, environment, file, settle) => {
    expect(scan(flags, environment, file).settle).toBe(settle);
  });

  it('lets a flag take back what the file says', () => {
    expect(scan({ once: false }, {}, 'scan: {once: true}').once).toBe(false);
  });

  it('reads every kind of value alike from each source', () => {
    const text = {
      once: 'yes',
      compress: 'yes',
      ignore: '*.tmp,*.part',
      quiet: '2m',
      bwlimit: '2MB/s',
      'tls-ca': '/ca.pem',
    };
    const expected = {
      once: true,
      compress: true,
      ignore: ['*.tmp', '*.part'],
      quiet: 120_000,
      bwlimit: allDay(2e6),
      tlsCa: '/ca.pem',
    };
    const to = 'wss://host:1';
    const environment = Object.fromEntries(
      Object.entries(text).map(([name, value]) => [
        `ISYNC_${name.replaceAll('-', '_').toUpperCase()}`,
        value,
      ]),
    );
    const lines = Object.entries(text).map(([name, value]) => `  ${name}: "${value}"\n`);
    expect(scan({ to }, environment)).toMatchObject(expected);
    expect(scan({ to }, {}, `scan:\n${lines.join('')}`)).toMatchObject(expected);
    expect(scan({ to, ...text, ignore: ['*.tmp', '*.part'], once: true, compress: true })).toMatchObject(
      expected,
    );
  });

  it('finds the config file by ISYNC_CONFIG too', () => {
    const path = write('by-variable.yaml', 'verify: {root: /datas, to: /mnt, quick: true}');
    const config = readConfig(SCHEMAS.verify, settingsFor('verify'), {
      flags: {},
      environment: { ISYNC_CONFIG: path },
      readFile: readConfigFile,
    });
    expect(config).toMatchObject({ root: '/datas', quick: true });
  });

  it('leaves the sections of other commands alone', () => {
    expect(scan({}, {}, 'scan: {settle: 3}\nreceive: {store: /s}\n').settle).toBe(3);
  });
});

describe('faults name the setting, the value and its origin', () => {
  it.each<[string, Texts, Record<string, string>, string | undefined, string, string]>([
    ['flag', { settle: 'abc' }, {}, undefined, 'USAGE', 'settle: "abc" is no duration like'],
    ['flag', { settle: 'abc' }, {}, undefined, 'USAGE', '(flag --settle)'],
    [
      'variable',
      {},
      { ISYNC_BWLIMIT: '10Mb' },
      undefined,
      'CONFIG_INVALID',
      'bwlimit: "10Mb" is no rate like',
    ],
    ['variable', {}, { ISYNC_BWLIMIT: '10Mb' }, undefined, 'CONFIG_INVALID', '(environment ISYNC_BWLIMIT)'],
    ['file', {}, {}, 'scan:\n  quiet: soon\n', 'CONFIG_INVALID', 'quiet: "soon" is no duration like'],
    ['file', {}, {}, 'scan:\n  quiet: soon\n', 'CONFIG_INVALID', 'isync.yaml, line 2)'],
    ['choice', { newest: 'size' }, {}, undefined, 'USAGE', '"size" is none of birthtime, mtime, name'],
    ['twice', { device: ['a', 'b'] }, {}, undefined, 'USAGE', 'device: ["a","b"] is given more than once'],
    ['map', {}, {}, 'scan: {device: {a: b}}', 'CONFIG_INVALID', 'device: is no single value'],
    ['device', { device: '../x' }, {}, undefined, 'USAGE', 'device: "../x" is no device name'],
    ['s3', { to: 's3://b' }, {}, undefined, 'USAGE', 'to: "s3://b" names no bucket that can be'],
    [
      'section',
      {},
      {},
      'scna: {}',
      'CONFIG_INVALID',
      'scna: is no section of a config file; did you mean "scan"?',
    ],
    ['section', {}, {}, 'scan: 3', 'CONFIG_INVALID', 'scan: is no map of settings'],
    [
      'key',
      {},
      {},
      'scan:\n  setle: 3',
      'CONFIG_INVALID',
      'setle: is no setting of "scan"; did you mean "settle"?',
    ],
    ['key', {}, {}, 'scan:\n  setle: 3', 'CONFIG_INVALID', 'isync.yaml, line 2)'],
    [
      'token in a file',
      {},
      {},
      'scan: {token: x}',
      'CONFIG_INVALID',
      'name a file that holds it with "token-file"',
    ],
    [
      'variable name',
      {},
      { ISYNC_SETLE: '1' },
      undefined,
      'CONFIG_INVALID',
      'ISYNC_SETLE: is no setting; did you',
    ],
    ['compress', { compress: true }, {}, undefined, 'USAGE', 'compress: '],
    [
      'compress',
      { compress: true, to: 's3://bucket' },
      {},
      undefined,
      'USAGE',
      'is for a ws:// or wss:// target only',
    ],
    [
      'compress',
      { to: '/mnt' },
      { ISYNC_COMPRESS: '1' },
      undefined,
      'CONFIG_INVALID',
      '(environment ISYNC_COMPRESS)',
    ],
    ['tls', { 'tls-ca': '/ca' }, {}, undefined, 'USAGE', 'tls-ca: "/ca" is for a wss:// target only'],
    ['key pair', { to: 'wss://h', 'tls-key': '/k' }, {}, undefined, 'USAGE', 'needs --tls-cert as well'],
    [
      'two configs',
      { config: ['a', 'b'] },
      {},
      undefined,
      'CONFIG_INVALID',
      'config: is given more than once',
    ],
    ['no file', { config: '/nowhere.yaml' }, {}, undefined, 'CONFIG_INVALID', 'the config file is not there'],
  ])('%s', (_, flags, environment, file, code, message) => {
    const fault = faultOf(() => scan(flags, environment, file));
    expect(fault.code).toBe(code);
    expect(fault.message).toContain(message);
  });

  it('tells the cure where the config file can not be read', () => {
    const hintOf = (config: string) => faultOf(() => scan({ config })).hint;
    expect(hintOf('none.yaml')).toBe(
      `Check its path; one that does not begin with "/" starts at ${process.cwd()}.`,
    );
    expect(hintOf(folder)).toBe('This is a folder; give the path of a file in it.');
  });

  it('tells all of them at once', () => {
    const fault = faultOf(() => scan({ settle: 'abc' }, { ISYNC_QUIET: 'x' }, 'scan: {tga: DC}'));
    expect(fault.message.split('\n')).toEqual([
      '3 settings are wrong:',
      expect.stringContaining('tga: '),
      expect.stringContaining('settle: '),
      expect.stringContaining('quiet: '),
    ]);
  });

  it('tells what is missing and every way to give it', () => {
    const fault = faultOf(() =>
      readConfig(SCHEMAS.scan, settingsFor('scan'), { flags: {}, environment: {} }),
    );
    expect(fault.code).toBe('USAGE');
    expect(fault.message).toContain('ROOT: is missing; give ROOT, ISYNC_ROOT or "root" in the config file');
    expect(fault.message).toContain('to: is missing; give --to, ISYNC_TO or "to" in the config file');
  });

  it("does not mind what Kubernetes, harness/ceph and isync webhook for its scripts put into the environment, nor other commands' variables", () => {
    const environment = {
      ISYNC_PORT: 'tcp://10.0.0.1:7400',
      ISYNC_PORT_7400_TCP_ADDR: '10.0.0.1',
      ISYNC_SERVICE_HOST: '10.0.0.1',
      ISYNC_RECEIVER_SERVICE_PORT_WS: '7400',
      ISYNC_STORE: '/s',
      ISYNC_KEY: 'a/b',
      ISYNC_ACTION: 'copy',
      ISYNC_TEST_S3_ENDPOINT: 'http://127.0.0.1:7480',
    };
    expect(scan({}, environment).root).toBe('/datas');
  });

  it('asks for a certificate where senders must show theirs', () => {
    const sources = { flags: { store: '/s', 'tls-ca': '/ca' }, environment: {} };
    expect(() => readConfig(SCHEMAS.receive, settingsFor('receive'), sources)).toThrow(
      'needs --tls-cert and --tls-key',
    );
  });
});

describe('tokens', () => {
  it('come from the environment or from a file that is named', () => {
    expect(scan({}, { ISYNC_TOKEN: 'abc' }).token?.reveal()).toBe('abc');
    expect(scan({ 'token-file': '/t' }).tokenFile).toBe('/t');
  });

  it('named by flag go before the environment, and those before the config file', () => {
    const byFlag = scan({ 'token-file': '/t' }, { ISYNC_TOKEN: 'abc' });
    expect([byFlag.token, byFlag.tokenFile]).toEqual([undefined, '/t']);
    const byVariable = scan({}, { ISYNC_TOKEN: 'abc' }, 'scan: {token-file: /t}');
    expect([byVariable.token?.reveal(), byVariable.tokenFile]).toEqual(['abc', undefined]);
  });

  it('given twice in the environment are refused', () => {
    const environment = { ISYNC_TOKEN: 'sesame', ISYNC_TOKEN_FILE: '/t' };
    expect(faultOf(() => scan({}, environment)).message).toContain('which of the two is meant?');
  });

  it('never show in an error', () => {
    const fault = faultOf(() => scan({}, { ISYNC_TOKEN: 'open sesame' }));
    expect(fault.message).toContain('token: (hidden) is no token');
    expect(fault.message).not.toContain('sesame');
    expect(faultOf(() => scan({ to: 'ws://me:sesame@h' })).message).not.toContain('sesame');
  });

  it('are no flag', () => {
    expect(scan({ token: 'abc' }).token).toBeUndefined();
  });

  it('are read from a file of one line', () => {
    expect(readTokenFile(write('token', 'abc.def\n'))).toBe('abc.def');
    for (const text of ['', '\n', 'two words', 'two\nlines', 'ünïcode'])
      expect(faultOf(() => readTokenFile(write('token', text)))).toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.not.stringContaining('words'),
      });
    expect(faultOf(() => readTokenFile(join(folder, 'none'))).message).toBe('the token file is not there');
  });

  it('that others must bring to us are not short ones', () => {
    expect(readOwnToken(write('token', 'a-token-of-16-ch\n'))).toBe('a-token-of-16-ch');
    for (const text of ['short-one', 'a-token-of-15-c', '', 'two words of 16 characters'])
      expect(faultOf(() => readOwnToken(write('token', text)))).toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.not.stringMatching(/short-one|words/),
        hint: expect.stringContaining('openssl rand'),
      });
  });

  it('need the file that keeps them', () => {
    expect(() => readConfig(SCHEMAS.token, settingsFor('token'), { flags: {}, environment: {} })).toThrow(
      'tokens: is missing',
    );
  });
});
