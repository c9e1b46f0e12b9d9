import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseQueue } from '../../src/config/queue-address.ts';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { SCHEMAS, settingsFor } from '../cli/commands.ts';
import { file, folder, read, refused, withField, freshConfig } from './pull-file.ts';

beforeEach(freshConfig);

describe('the file', () => {
  it('is taken as other tools print it', () => {
    const text = `{ "queue": "transport-dev",
  "sync": [ "test-folder/": "/srv/a", "test-folder/folder-01/": "/srv/b", "a/": "b", "cc/": "b" ] }
`;
    expect(read(text)).toEqual({
      queue: parseQueue('transport-dev'),
      sync: [
        { prefix: 'test-folder/', folder: '/srv/a' },
        { prefix: 'test-folder/folder-01/', folder: '/srv/b' },
        { prefix: 'a/', folder: join(folder, 'b') },
        { prefix: 'cc/', folder: join(folder, 'b') },
      ],
      fips: false,
      dualStack: false,
      buckets: [],
      keyEncoding: 'auto',
      requestPayer: false,
      delete: true,
      unmatched: 'release',
      attempts: 5,
      concurrency: 32,
      resync: false,
      resyncNow: false,
      script: undefined,
      timeout: 300_000,
      maxDelete: { percent: 25 },
      mode: 0o644,
      minFree: 2 ** 30,
      exec: undefined,
      execDelay: 2000,
      state: `${file}.state`,
      once: false,
      check: false,
      dryRun: false,
      json: false,
      logLevel: 'info',
      logFormat: 'auto',
    });
  });

  it('may have every field, in either spelling', () => {
    const config = read(`
queue: arn:aws-cn:sqs:cn-north-1:123456789012:events.fifo
sync: { "": all, web: /srv/www }
region: cn-north-1
profile: p
roleArn: arn:aws-cn:iam::123456789012:role/reader
sqs-endpoint: http://127.0.0.1:4566
s3Endpoint: https://s3.example
fips: true
dual-stack: yes
buckets: [one, two]
bucketOwner: "123456789012"
delete: false
unmatched: discard
attempts: 2
resync: 6h
max-delete: 50 %
mode: "0600"
owner: www-data:www-data
exec: [./hooks/reload, --all]
execDelay: 500ms
concurrency: 1024
minFree: 5GiB
requestPayer: true
state: var/pull
keyEncoding: raw
status: 127.0.0.1:9000
`);
    expect(config).toMatchObject({
      queue: { name: 'events.fifo', account: '123456789012', region: 'cn-north-1' },
      sync: [
        { prefix: '', folder: join(folder, 'all') },
        { prefix: 'web/', folder: '/srv/www' },
      ],
      roleArn: 'arn:aws-cn:iam::123456789012:role/reader',
      sqsEndpoint: new URL('http://127.0.0.1:4566'),
      s3Endpoint: new URL('https://s3.example'),
      fips: true,
      dualStack: true,
      buckets: ['one', 'two'],
      bucketOwner: '123456789012',
      delete: false,
      unmatched: 'discard',
      attempts: 2,
      resync: 21_600_000,
      maxDelete: { percent: 50 },
      mode: 0o600,
      owner: { user: 'www-data', group: 'www-data' },
      exec: [join(folder, 'hooks/reload'), '--all'],
      execDelay: 500,
      concurrency: 1024,
      minFree: 5 * 2 ** 30,
      requestPayer: true,
      state: join(folder, 'var/pull'),
      keyEncoding: 'raw',
      status: { host: '127.0.0.1', port: 9000 },
    });
  });

  it('may have a section for each command instead', () => {
    const config = read('pull:\n  queue: q\n  sync: { a/: b }\nscan: { root: /datas }\n');
    expect(config).toMatchObject({
      queue: { name: 'q' },
      sync: [{ prefix: 'a/', folder: join(folder, 'b') }],
    });
  });

  it('may be named from another folder: paths in it start beside it, all others here', () => {
    writeFileSync(file, 'queue: q\nsync: { a/: b }\nexec: bin/x\n');
    const relative = join('..', '..', '..', '..', '..', '..', '..', file);
    const config = readConfig(SCHEMAS.pull, settingsFor('pull'), {
      flags: { config: relative, state: 'here' },
      environment: { ISYNC_EXEC: 'tools/y' },
      readFile: readConfigFile,
    });
    expect(config).toMatchObject({
      sync: [{ prefix: 'a/', folder: join(folder, 'b') }],
      state: join(process.cwd(), 'here'),
      exec: [join(process.cwd(), 'tools/y')],
    });
  });

  it('need not be there', () => {
    const config = readConfig(SCHEMAS.pull, settingsFor('pull'), {
      flags: { queue: 'q', sync: ['web/=/srv/www', 'year=2026/=y'] },
      environment: {},
    });
    expect(config).toMatchObject({
      sync: [
        { prefix: 'web/', folder: '/srv/www' },
        { prefix: 'year=2026/', folder: join(process.cwd(), 'y') },
      ],
      state: join(process.cwd(), 'pull.state'),
    });
  });
});

describe('resync', () => {
  it.each([
    ['false', false],
    ['no', false],
    ['start', 'start'],
    ['true', 'start'],
    ['1h', 3_600_000],
  ])('%s in a file says when', (text, resync) => {
    expect(withField(`resync: ${text}`)).toMatchObject({ resync, resyncNow: false });
  });

  it('on the command line is now, and leaves what the file says', () => {
    expect(withField('resync: 6h', { resync: true })).toMatchObject({ resync: 21_600_000, resyncNow: true });
    expect(withField('', { resync: true })).toMatchObject({ resync: false, resyncNow: true });
  });

  it('in the environment is as in a file', () => {
    expect(withField('', {}, { ISYNC_RESYNC: 'start' })).toMatchObject({ resync: 'start', resyncNow: false });
    expect(refused(() => withField('', {}, { ISYNC_RESYNC_NOW: 'yes' })).message).toContain(
      'ISYNC_RESYNC_NOW: is no setting',
    );
    expect(refused(() => withField('resyncNow: true')).message).toContain(
      'resyncNow: is no setting of "pull"',
    );
  });
});

describe('a list of prefixes', () => {
  it('may have several pairs in one map, and one folder for several prefixes', () => {
    expect(read('queue: q\nsync: [ { a: /x, b/: /x }, c=/y ]\n').sync).toEqual([
      { prefix: 'a/', folder: '/x' },
      { prefix: 'b/', folder: '/x' },
      { prefix: 'c/', folder: '/y' },
    ]);
  });
});

describe('a command', () => {
  it('of one word is a program; with a "/" it is found from the file', () => {
    expect(withField('exec: reload').exec).toEqual(['reload']);
    expect(withField('exec: /usr/bin/reload').exec).toEqual(['/usr/bin/reload']);
    expect(withField('exec: ["my hooks/reload", "", "a b"]').exec).toEqual([
      join(folder, 'my hooks/reload'),
      '',
      'a b',
    ]);
  });
});

describe('a number of files to remove', () => {
  it('is a share or a count', () => {
    expect(withField('maxDelete: 0%').maxDelete).toEqual({ percent: 0 });
    expect(withField('maxDelete: 1000').maxDelete).toEqual({ files: 1000 });
    expect(withField('maxDelete: 2.5 %').maxDelete).toEqual({ percent: 2.5 });
  });
});
