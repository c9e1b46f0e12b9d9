import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/read-config.ts';
import { SCHEMAS, settingsFor } from '../cli/commands.ts';

type Texts = Readonly<Record<string, unknown>>;

function scan(flags: Texts, environment: Record<string, string> = {}) {
  return readConfig(SCHEMAS.scan, settingsFor('scan'), {
    flags: { root: '/datas', to: 's3://bucket/site', ...flags },
    environment,
  });
}

function receive(flags: Texts) {
  return readConfig(SCHEMAS.receive, settingsFor('receive'), {
    flags: { store: 's3://bucket', ...flags },
    environment: {},
  });
}

const ALL = {
  's3-endpoint': 'https://s3.example:8443',
  's3-region': 'eu-central-1',
  's3-profile': 'backup',
  's3-storage-class': 'STANDARD_IA',
  's3-sse': 'aws:kms',
  's3-sse-kms-key-id': 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab',
  's3-part-memory': '512MiB',
};
const READ = {
  s3Endpoint: new URL('https://s3.example:8443'),
  s3Region: 'eu-central-1',
  s3PathStyle: false,
  s3Profile: 'backup',
  s3StorageClass: 'STANDARD_IA',
  s3Sse: 'aws:kms',
  s3SseKmsKeyId: ALL['s3-sse-kms-key-id'],
  s3PartMemory: 512 * 2 ** 20,
  s3Tag: { project: 'alpha', 'cost centre': 'a=b' },
};

describe('the options of S3', () => {
  it('are read alike from flags and from the environment, by each command', () => {
    const flags = { ...ALL, 's3-path-style': false, 's3-tag': ['project=alpha', 'cost centre=a=b'] };
    expect(scan(flags)).toMatchObject(READ);
    expect(receive(flags)).toMatchObject(READ);
    const sources = { flags: { root: '/datas', to: 's3://bucket', ...flags }, environment: {} };
    expect(readConfig(SCHEMAS.verify, settingsFor('verify'), sources)).toMatchObject(READ);
    const texts = { ...ALL, 's3-path-style': 'no', 's3-tag': 'project=alpha, cost centre=a=b' };
    const environment = Object.fromEntries(
      Object.entries(texts).map(([name, text]) => [`ISYNC_${name.replaceAll('-', '_').toUpperCase()}`, text]),
    );
    expect(scan({}, environment)).toMatchObject(READ);
  });

  it('are undefined where they are not given', () => {
    const config = scan({});
    expect(
      Object.entries(config).filter(([key, value]) => key.startsWith('s3') && value !== undefined),
    ).toEqual([]);
  });

  it.each<[string, string | string[], string]>([
    ['s3-endpoint', 's3.example', 'is no URL like https://'],
    ['s3-endpoint', 'ftp://s3.example', 'is no URL like https://'],
    ['s3-endpoint', 'https://s3.example/?x=1', 'has a "?" or "#" part'],
    ['s3-region', 'eu central', 'is no region like'],
    ['s3-path-style', 'perhaps', 'is neither true nor false'],
    ['s3-profile', 'two words', 'is no name of a profile'],
    ['s3-storage-class', 'COLD STUFF', 'is no storage class'],
    ['s3-storage-class', 'DEEP_ARCHIVE', 'can not be read back at once'],
    ['s3-sse', 'AES', 'is none of AES256, aws:kms'],
    ['s3-sse-kms-key-id', 'a key', 'is no id, alias or ARN'],
    ['s3-part-memory', '8MiB', 'is too small; the least is 16777216 bytes'],
    ['s3-tag', ['project'], 'is no tag like project=alpha'],
    ['s3-tag', ['=alpha'], 'is no tag like project=alpha'],
    ['s3-tag', ['a=b&c'], 'is no tag like project=alpha'],
    ['s3-tag', ['aws:a=b'], 'is no tag like project=alpha'],
    ['s3-tag', ['a=b', 'a=c'], 'gives the tag "a" twice'],
    ['s3-tag', Array.from({ length: 11 }, (_, i) => `k${i}=v`), 'has more than the 10 tags'],
  ])('--%s %j is refused', (name, value, why) => {
    const refusal = { code: 'USAGE', message: expect.stringContaining(why) };
    expect(() => scan({ [name]: value })).toThrow(expect.objectContaining(refusal));
    expect(() => receive({ [name]: value })).toThrow(`${name}: `);
  });

  it.each([...Object.entries(ALL), ['s3-path-style', false], ['s3-tag', ['a=b']]] as const)(
    '--%s %j needs an address of S3',
    (name, value) => {
      for (const to of ['ws://host:1', '/folder'])
        expect(() => scan({ to, [name]: value })).toThrow('is for an s3://BUCKET/PREFIX target only');
      expect(() => receive({ store: '/folder', [name]: value })).toThrow(
        'is for an s3://BUCKET/PREFIX store only',
      );
    },
  );

  it('do not go together as they like', () => {
    expect(() => scan({ 's3-sse-kms-key-id': 'x' })).toThrow('needs --s3-sse aws:kms as well');
    expect(() => scan({ 's3-sse-kms-key-id': 'x', 's3-sse': 'AES256' })).toThrow('needs --s3-sse aws:kms');
  });

  it('hold no credentials, and never show those that were given all the same', () => {
    const given: [Texts, string][] = [
      [{ to: 's3://KEY:se/cret@bucket' }, 'holds credentials'],
      [{ 's3-endpoint': 'https://KEY:se%2Fcret@s3.example' }, 'holds a user name or password'],
    ];
    for (const [flags, why] of given) {
      expect(() => scan(flags)).toThrow(why);
      expect(() => scan(flags)).not.toThrow('cret');
    }
  });
});

describe('what needs a disk', () => {
  it('is refused for a bucket', () => {
    expect(() => receive({ 'min-free': '1GiB' })).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('is for a folder only') }),
    );
    expect(receive({ quota: '1GiB', immutable: true, 'max-file-size': '1GiB' })).toMatchObject({
      quota: 2 ** 30,
    });
  });

  it('TLS is for a receiver, not for a bucket', () => {
    expect(() => scan({ 'tls-ca': '/ca.pem' })).toThrow('is for a wss:// target only');
  });
});
