import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { allDay } from '../../src/flow/bandwidth.ts';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { rulesOf } from '../../src/mirror/rules-of-config.ts';
import { SCHEMAS, settingsFor } from '../cli/commands.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { refused } from './pull-file.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = join(temporaryFolder(), 'etc');
  mkdirSync(folder);
  file = join(folder, 'mirror.yaml');
});

function read(text: string | undefined, flags: object = {}, environment: Record<string, string> = {}) {
  if (text !== undefined) writeFileSync(file, text);
  const config = text === undefined ? {} : { config: file };
  const sources = { flags: { ...config, ...flags }, environment, readFile: readConfigFile };
  return readConfig(SCHEMAS.mirror, settingsFor('mirror'), sources);
}

const FULL = `
bucket: s3://new/prefix
serviceEndpoint: https://cdn.example/
onMiss: stream
onHit: redirect
rules:
  - match: { prefix: img/, suffix: .jpg }
    origins: [https://old.example/base, s3://old-bucket/there]
    key: { strip: img/, add: pictures/ }
    send: { Authorization: { env: OLD_TOKEN } }
    keep: [x-amz-meta-a*]
    query: pass
    types: [image/*, text/plain]
    maxSize: 5MiB
    timeouts: { connect: 1s, firstByte: 2s, idle: 3s, total: 4m }
    concurrency: 8
    bwlimit: 20MB/s
    allowPrivate: true
  - match: { regex: '^a\\d+$' }
    origins: { url: s3://other, endpoint: http://127.0.0.1:9, region: eu-1, profile: old }
  - origins: http://last.example
except: [tmp/**, '*.tmp']
`;

describe('the settings of a mirror', () => {
  it('are all that the file says', () => {
    const config = read(FULL, {}, { OLD_TOKEN: 'sesame' });
    expect(config).toMatchObject({
      bucket: { kind: 's3', bucket: 'new', prefix: 'prefix' },
      serviceEndpoint: 'https://cdn.example',
      onMiss: 'stream',
      onHit: 'redirect',
      except: ['tmp/**', '*.tmp'],
      listen: { host: '127.0.0.1', port: 7480 },
    });
    expect(JSON.stringify(config)).not.toContain('sesame');
    const [first, second, third] = rulesOf(config);
    expect(first).toMatchObject({
      name: 'rules[0]',
      origins: [
        { kind: 'http', base: 'https://old.example/base/' },
        { kind: 's3', bucket: 'old-bucket', prefix: 'there/', access: { endpoint: undefined } },
      ],
      key: { strip: 'img/', add: 'pictures/' },
      send: { authorization: 'sesame' },
      query: 'pass',
      maxSize: 5 * 2 ** 20,
      timeouts: { connect: 1000, firstByte: 2000, idle: 3000, total: 240_000 },
      concurrency: 8,
      bwlimit: allDay(20_000_000),
      allowPrivate: true,
    });
    expect(['img/a.jpg', 'img/a.png', 'x/a.jpg'].map((key) => first!.matches(key))).toEqual([
      true,
      false,
      false,
    ]);
    expect(['x-amz-meta-abc', 'x-amz-meta-b'].map((name) => first!.keeps(name))).toEqual([true, false]);
    expect(['image/png', 'text/plain', 'text/html'].map((type) => first!.takesType(type))).toEqual([
      true,
      true,
      false,
    ]);
    expect(second).toMatchObject({
      origins: [
        {
          kind: 's3',
          bucket: 'other',
          prefix: '',
          access: { endpoint: 'http://127.0.0.1:9/', region: 'eu-1', profile: 'old' },
        },
      ],
    });
    expect([second!.matches('a12'), second!.matches('b')]).toEqual([true, false]);
    expect(third).toMatchObject({
      origins: [{ kind: 'http', base: 'http://last.example/' }],
      key: { strip: '', add: '' },
      send: {},
      query: 'drop',
      maxSize: 5 * 2 ** 30,
      timeouts: { connect: 5000, firstByte: 10_000, idle: 30_000, total: 900_000 },
      concurrency: 16,
      bwlimit: undefined,
      allowPrivate: false,
    });
    expect([third!.matches('x'), third!.keeps('x-amz-meta-x'), third!.takesType('a/b')]).toEqual([
      true,
      true,
      true,
    ]);
  });

  it('can be three variables and nothing else', () => {
    const config = read(
      undefined,
      {},
      { external_endpoint: 'https://old.example', s3_bucket: 'new', service_endpoint: 'https://cdn.example' },
    );
    expect(config.bucket).toEqual({ kind: 's3', bucket: 'new', prefix: '' });
    expect(config.serviceEndpoint).toBe('https://cdn.example');
    expect(rulesOf(config)).toMatchObject([{ origins: [{ kind: 'http', base: 'https://old.example/' }] }]);
  });

  it('may lie in a section, with a bucket that has a name there', () => {
    const config = read(
      'stores: { new: { url: s3://new/x, endpoint: http://127.0.0.1:1 } }\nmirror: { bucket: store:new, externalEndpoint: https://old.example }\n',
    );
    expect(config.bucket).toMatchObject({
      bucket: 'new',
      prefix: 'x',
      access: { endpoint: new URL('http://127.0.0.1:1') },
    });
  });

  it('may have origins with servers and keys of their own, by the name of a store or in their place', () => {
    const keys = 'credentials: { accessKeyId: AKIA, secretAccessKey: { env: OLD_KEY } }';
    const config = read(
      `stores:
  old: { url: s3://old/there, endpoint: http://127.0.0.1:9, pathStyle: no, ${keys}, storageClass: STANDARD }
bucket: s3://new
rules:
  - origins: [store:old, { url: s3://other, ${keys}, ca: ${file} }]
  - origins: store:old
`,
      {},
      { OLD_KEY: 'sesame' },
    );
    expect(JSON.stringify(config)).not.toContain('sesame');
    const credentials = { accessKeyId: 'AKIA', secretAccessKey: 'sesame' };
    const old = {
      bucket: 'old',
      prefix: 'there/',
      access: { endpoint: 'http://127.0.0.1:9/', pathStyle: false, credentials },
    };
    const other = { bucket: 'other', prefix: '', access: { credentials, endpoint: undefined } };
    expect(rulesOf(config)).toMatchObject([{ origins: [old, other] }, { origins: [old] }]);
  });

  it.each([
    [{ s3_bucket: 'new' }, 'external-endpoint: is missing', 'external_endpoint'],
    [{ external_endpoint: 'http://o' }, 'bucket: is missing', 's3_bucket'],
    [{ s3_bucket: 'a b', external_endpoint: 'http://o' }, '"a b" is no bucket', 'environment s3_bucket'],
    [{ s3_bucket: 'new', external_endpoint: 'old' }, '"old" is no origin', 'environment external_endpoint'],
    [
      { s3_bucket: 'new', external_endpoint: 'http://o', service_endpoint: 'x' },
      '"x" is no URL like',
      'environment service_endpoint',
    ],
    [
      { s3_bucket: 'new', external_endpoint: 'http://o', ISYNC_TOKEN: 'sesame' },
      'so short that it can be guessed',
      'environment ISYNC_TOKEN',
    ],
    [
      { s3_bucket: 'new', external_endpoint: 'http://o', ISYNC_SERVICE_ENDPOINT: 'http://x' },
      'ISYNC_SERVICE_ENDPOINT: is no setting',
      '',
    ],
  ])('of the environment are told by their names: %j', (environment, message, place) => {
    const fault = refused(() => read(undefined, {}, environment));
    expect(fault.message).toContain(message);
    expect(fault.message).toContain(place);
  });
});

describe('a wrong value of a rule is told with its line', () => {
  it.each([
    ['key: { add: ../x/ }', 'rules[0].key.add: "../x/" has a "." or ".." segment'],
    ['match: { prefx: a }', 'rules[0].match: has no setting "prefx"; did you mean "prefix"?'],
    ['match: { regex: "(" }', 'rules[0].match.regex: "(" is no regular expression'],
    ['match: a/', 'rules[0].match: is no map of settings'],
    ['origins: ftp://x', 'is no origin like'],
    ['origins: [https://me:sesame@x]', 'holds a user name or password'],
    ['origins: ["https://x/?a=sesame"]', 'has a "?" or "#" part'],
    ['origins: []', 'is empty'],
    ['origins: { url: https://x, region: a }', 'is for an s3://BUCKET/PREFIX url only'],
    ['origins: { url: s3://old, rgion: a }', 'has no setting "rgion"; did you mean "region"?'],
    ['origins: { url: s3://old, storageClass: STANDARD }', 'has no setting "storageClass"'],
    [
      'origins: { url: s3://old, credentials: { accessKeyId: A, secretAccessKey: sesame } }',
      'secretAccessKey: does not belong into a config file',
    ],
    [
      'origins: { url: s3://old, profile: a, credentials: { accessKeyId: A, secretAccessKey: { env: X } } }',
      'is given beside credentials',
    ],
    ['origins: [store:old]', '"store:old" names a store, and no config file has "stores:"'],
    ['send: { Authorization: sesame }', 'does not belong into a config file'],
    ['send: { Host: { env: X } }', 'is for a header that is a header that isync'],
    ['send: { "a b": { env: X } }', 'is for a header that is no name of a header'],
    ['send: { A: { env: X }, a: { env: X } }', 'is for a header that is there twice'],
    ['send: { Authorization: { file: /none } }', 'the file "/none" is not there'],
    ['send: { Authorization: { env: NEWLINE } }', 'is no value of printable ASCII'],
    ['keep: [etag]', 'has "etag"; only headers like'],
    ['types: [image]', 'has "image", which is no type like image/*'],
    ['query: keep', '"keep" is none of drop, pass'],
    ['maxSize: big', '"big" is no size like'],
    ['timeouts: { connect: 0 }', '"0" is too short'],
    ['timeouts: { conect: 5s }', 'has no setting "conect"; did you mean "connect"?'],
    ['concurrency: 0', 'is no whole number from 1 up'],
    ['bwlimit: fast', 'is no rate like'],
    ['allowPrivate: maybe', 'is neither true nor false'],
    ['orgins: [a]', 'has no setting "orgins"; did you mean "origins"?'],
  ])('%s', (line, message) => {
    const origins = line.startsWith('origins') ? '' : '    origins: http://o\n';
    const text = `bucket: s3://new\nrules:\n  - # a rule\n    ${line}\n${origins}`;
    const fault = refused(() => read(text, {}, { X: 'x', NEWLINE: 'a\r\nb: c' }));
    expect(fault.code).toBe('CONFIG_INVALID');
    expect(fault.message).toContain(message);
    expect(fault.message).toMatch(/, line [34]\)/);
    expect(fault.message).toContain(file);
    expect(fault.message).not.toContain('sesame');
  });

  it.each([
    ['onMiss: redirect', 'needs --service-endpoint as well'],
    ['onHit: redirect', 'needs --service-endpoint as well'],
    ['fallback: true', 'needs --service-endpoint as well'],
    ['onMiss: none', '"none" is none of redirect, stream, redirect-origin'],
    ['except: ["!a"]', 'there are no exceptions from patterns'],
    ['except: ["a["]', 'has "a["'],
    ['except: [/a]', 'no key begins with "/"'],
    ['token: sesame', 'does not belong into a config file'],
    ['externalEndpoint: http://p', 'is the origin where there are no "rules"'],
    ['rules: none', 'is no list of rules'],
    ['serviceEndpoint: cdn.example', 'is no URL like'],
    ['listen: "1"', 'is no HOST:PORT'],
    ['spoolSize: 0', 'is too small'],
    ['bukcet: x', 'did you mean "bucket"?'],
  ])('%s', (line, message) => {
    const rules = line.startsWith('rules') ? '' : 'rules: [{ origins: http://o }]\n';
    const fault = refused(() => read(`bucket: s3://new\n${line}\n${rules}`));
    expect(fault.message).toContain(message);
    expect(fault.message).toContain(`(${file}, line 2)`);
    expect(fault.message).not.toContain('sesame');
  });

  it.each([
    ['main: { url: s3://x }', 'is none of "stores:" in the config file'],
    ['old: { url: /folder }', 'names a store whose url is no origin like'],
    ['old: { url: s3://x, endpoint: ftp://y }', 'names a store whose endpoint is no URL like'],
    ['old: { url: s3://x, endpont: y }', 'names a store that has no setting "endpont"'],
    [
      'old: { url: s3://x, credentials: { accessKeyId: A, secretAccessKey: sesame } }',
      'names a store whose credentials.secretAccessKey does not belong into a config file',
    ],
  ])('of a store that an origin names: %s', (store, message) => {
    const fault = refused(() =>
      read(`stores: { ${store} }\nbucket: s3://new\nrules:\n  - origins: [store:old]\n`),
    );
    expect(fault.message).toContain(`"store:old" ${message}`);
    expect(fault.message).toContain(`(${file}, line 4)`);
    expect(fault.message).not.toContain('sesame');
  });

  it('that sends clients to an origin is refused where they can not ask it', () => {
    for (const rule of ['origins: s3://old', 'origins: http://o, send: { A: { env: X } }'])
      expect(
        refused(() =>
          read(`bucket: s3://new\nonMiss: redirect-origin\nrules: [{ ${rule} }]\n`, {}, { X: 'x' }),
        ).message,
      ).toContain('is for origins that clients can ask themselves');
  });
});
