import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { bucketSettings } from '../../src/config/bucket-settings.ts';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { SCHEMAS, settingsFor } from '../cli/commands.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

let file: string;
beforeEach(() => {
  const folder = temporaryFolder();
  file = join(folder, 'isync.yaml');
  writeFileSync(join(folder, 'key'), 'sesame\n');
});

const STORE = 'stores:\n  main:\n    url: s3://bucket/site\n';

function scan(text: string, flags: object = { to: 'store:main' }, environment = {}) {
  writeFileSync(file, text);
  const sources = {
    flags: { root: '/datas', config: file, ...flags },
    environment,
    readFile: readConfigFile,
  };
  return readConfig(SCHEMAS.scan, settingsFor('scan'), sources);
}

describe('a store that has a name', () => {
  it('is what --to, ISYNC_TO and the config file mean by store:NAME', () => {
    const to = { kind: 's3', bucket: 'bucket', prefix: 'site' };
    expect(scan(STORE).to).toMatchObject(to);
    expect(scan(STORE, {}, { ISYNC_TO: 'store:main' }).to).toMatchObject(to);
    expect(scan(`${STORE}scan:\n  to: store:main\n`, {}).to).toMatchObject(to);
    expect(scan('scan:\n  to: { url: s3://bucket/site }\n', {}).to).toMatchObject(to);
  });

  it('can be where a receiver keeps files', () => {
    writeFileSync(file, 'stores: { disk: { url: /srv/isync } }');
    const flags = { store: 'store:disk', config: file, 'min-free': '1GiB' };
    const sources = { flags, environment: {}, readFile: readConfigFile };
    expect(readConfig(SCHEMAS.receive, settingsFor('receive'), sources).store).toEqual({
      kind: 'folder',
      path: '/srv/isync',
    });
  });

  it('tells how to reach it, and keeps its keys to itself', () => {
    const { to } = scan(`${STORE}    endpoint: https://s3.example
    region: eu-central-1
    pathStyle: no
    credentials: { accessKeyId: AKIA, secretAccessKey: { file: ${join(file, '../key')} } }
    ca: /etc/ca.pem
`);
    expect(to).toMatchObject({
      access: {
        endpoint: new URL('https://s3.example'),
        region: 'eu-central-1',
        pathStyle: false,
        ca: '/etc/ca.pem',
      },
    });
    const { credentials } = 'access' in to ? (to.access ?? {}) : {};
    expect(credentials?.secretAccessKey.reveal()).toBe('sesame');
    expect(JSON.stringify(to)).not.toContain('sesame');
  });

  it('tells what to write there, before which options go', () => {
    const kept = `${STORE}    storageClass: STANDARD_IA
    sse: aws:kms
    sseKmsKeyId: alias/site
    partMemory: 64MiB
    tags: [project=alpha]
`;
    const settingsOf = (options: Readonly<Record<string, unknown>> = {}) => {
      const config = scan(kept, { to: 'store:main', ...options });
      if (config.to.kind !== 's3') throw new Error('no bucket');
      return bucketSettings(config.to, config);
    };
    const written = {
      storageClass: 'STANDARD_IA',
      sse: 'aws:kms',
      sseKmsKeyId: 'alias/site',
      partMemory: 64 * 2 ** 20,
      tags: { project: 'alpha' },
    };
    expect(settingsOf()).toMatchObject(written);
    const options = { 's3-storage-class': 'GLACIER_IR', 's3-part-memory': '32MiB', 's3-tag': ['a=b'] };
    expect(settingsOf(options)).toMatchObject({
      ...written,
      storageClass: 'GLACIER_IR',
      partMemory: 32 * 2 ** 20,
      tags: { a: 'b' },
    });
    expect(settingsOf({ 's3-sse-kms-key-id': 'alias/other' })).toMatchObject({
      sse: 'aws:kms',
      sseKmsKeyId: 'alias/other',
    });
    expect(settingsOf({ 's3-sse': 'AES256' })).toMatchObject({ sse: 'AES256', sseKmsKeyId: undefined });
  });

  it('has keys that a profile of the options goes before', () => {
    const keys = 'credentials: { accessKeyId: AKIA, secretAccessKey: { env: KEY } }';
    const { to, ...options } = scan(
      `${STORE}    ${keys}\n`,
      { to: 'store:main', 's3-profile': 'other' },
      { KEY: 'sesame' },
    );
    if (to.kind !== 's3') throw new Error('no bucket');
    expect(bucketSettings(to, options)).toMatchObject({ profile: 'other', credentials: undefined });
    expect(bucketSettings(to, {}).credentials?.accessKeyId.reveal()).toBe('AKIA');
  });

  it.each([
    ['sseKmsKeyId: alias/site', 'stores.main.sseKmsKeyId: "alias/site" needs sse: aws:kms as well', 4],
    ['storageClass: GLACIER', 'stores.main.storageClass: "GLACIER" can not be read back at once', 4],
    ['tags: { project: alpha }', 'stores.main.tags: is neither a text nor a list of texts', 4],
    ['endpont: x', 'stores.main: has no setting "endpont"; did you mean "endpoint"?', 4],
    ['path-style: yes', 'did you mean "pathStyle"?', 4],
    ['endpoint: ftp://x', 'stores.main.endpoint: "ftp://x" is no URL like https://s3.example:8443', 4],
    [
      'profile: a\n    credentials: { accessKeyId: a, secretAccessKey: { file: /etc/hostname } }',
      'stores.main.profile: "a" is given beside credentials',
      4,
    ],
    [
      'credentials:\n      accessKeyId: a\n      secretAccessKey: sesame',
      'stores.main.credentials.secretAccessKey: does not belong',
      6,
    ],
    ['credentials:\n      accessKeyId: a\n', 'stores.main.credentials.secretAccessKey: is missing', 4],
  ])('with "%s" is told with its line', (line, message, at) => {
    const attempt = () => scan(`${STORE}    ${line}\n`);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(`(${file}, line ${at})`);
    expect(attempt).not.toThrow('sesame');
    expect(attempt).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it.each([
    [
      'stores: { mian: { url: /a } }',
      'to: "store:main" is none of "stores:" in the config file; did you mean "store:mian"? (flag --to)',
    ],
    ['scan: {}', 'to: "store:main" names a store, and no config file has "stores:" (flag --to)'],
    ['stores: { main: { } }', 'stores.main.url: is missing'],
    [
      'stores: { main: { url: store:main } }',
      'stores.main.url: "store:main" names a store; a store has an address',
    ],
    [
      'stores: { main: { url: ws://host } }',
      'has the scheme "ws"; a store is a folder or s3://BUCKET/PREFIX',
    ],
    [
      'stores: { main: { url: /a, region: b } }',
      'stores.main.region: "b" is for an s3://BUCKET/PREFIX url only',
    ],
    ['stores: { main: x }', 'to: "store:main" is no map of settings in the config file (flag --to)'],
    ['stores: x', 'stores: is no map of stores'],
    ['storse: {}', 'did you mean "stores"?'],
  ])('%s is refused', (text, message) => {
    expect(() => scan(text)).toThrow(message);
  });

  it('does not mind one that the command does not use', () => {
    expect(scan(`${STORE}  other: { url: ftp://x, what: y }\n`).to).toMatchObject({ bucket: 'bucket' });
  });

  it('goes with what is given beside it as an address does', () => {
    expect(scan(STORE, { to: 'store:main', 's3-region': 'eu-central-1' }).s3Region).toBe('eu-central-1');
    expect(() => scan(STORE, { to: 'store:main', compress: true })).toThrow(
      'is for a ws:// or wss:// target only',
    );
  });
});
