import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseOwner, resolveOwner } from '../../src/config/owner.ts';
import { parseQueue } from '../../src/config/queue-address.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { SCHEMAS, settingsFor } from '../cli/commands.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = join(temporaryFolder(), 'etc');
  mkdirSync(folder);
  file = join(folder, 'pull.yaml');
});

function read(text: string, flags: object = {}, environment: Record<string, string> = {}) {
  writeFileSync(file, text);
  return readConfig(SCHEMAS.pull, settingsFor('pull'), { flags: { config: file, ...flags }, environment });
}

/** With what every config must have. */
const withField = (line: string, flags?: object, environment?: Record<string, string>) =>
  read(`queue: q\nsync: { a/: /srv/a }\n${line}\n`, flags, environment);

function refused(attempt: () => unknown): IsyncError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof IsyncError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

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

describe('a wrong value is told with its line', () => {
  it.each([
    ['queue: a b', '"a b" is no name of 1 to 80'],
    ['queue: https://me:sesame@sqs/1/q', 'holds a user name or password'],
    ['queue: ftp://x/q', 'is no URL like https://sqs'],
    ['queue: arn:aws:sns:eu-central-1:123456789012:q', 'is no ARN like arn:aws:sqs'],
    ['roleArn: reader', 'role-arn: "reader" is no ARN like arn:aws:iam'],
    ['bucketOwner: "12"', 'is no account of 12 digits'],
    ['buckets: [a b]', 'has "a b", which is no name of a bucket'],
    ['buckets: [arn:aws:s3:::b]', 'has "arn:aws:s3:::b", which is no name of a bucket'],
    ['buckets: [b]', 'has "b", which is no name of a bucket'],
    ['concurrency: 1025', '"1025" is too many: the most is 1024, because each holds a connection'],
    ['concurrency: 0', 'is no whole number from 1 up'],
    ['resync: sometimes', 'is no duration like'],
    ['resync: 30', 'is none of false, start and an interval like 6h'],
    ['resync: 1s', 'is too short'],
    ['maxDelete: 101%', 'is neither a share like 25 % nor a number of files'],
    ['maxDelete: some', 'is neither a share'],
    ['mode: "0664"', 'by which isync scan knows what it has transferred'],
    ['mode: rw', 'is no mode of three octal digits'],
    ['mode: "0044"', 'keeps the owner from reading'],
    ['mode: "4755"', 'is no mode of three octal digits'],
    ['owner: "1000"', 'needs a group as well'],
    ['owner: "a:b:c"', 'is no owner like'],
    ['exec: touch x', 'is one program, for there is no shell'],
    ['exec: []', 'is empty'],
    ['exec: { a: b }', 'is neither a program nor a list of words'],
    ['execDelay: soon', 'is no duration like'],
    ['unmatched: keep', 'is none of release, discard'],
    ['keyEncoding: utf8', 'is none of auto, form, raw'],
    ['status: "9000"', 'is no HOST:PORT'],
    ['s3Endpoint: s3.example', 'is no URL like'],
    ['quue: x', 'quue: is no setting of "pull"; did you mean "queue"?'],
    ['maxdelete: 5', 'did you mean "max-delete"?'],
  ])('%s', (line, message) => {
    const name = line.slice(0, line.indexOf(':'));
    const others = ['queue: q', 'sync: { a/: /srv/a }'].filter((other) => !other.startsWith(`${name}:`));
    const fault = refused(() => read([...others, line].join('\n')));
    expect(fault).toMatchObject({
      code: 'CONFIG_INVALID',
      hint: expect.stringContaining('isync pull --help'),
    });
    expect(fault.message).toContain(message);
    expect(fault.message).toContain(`(${file}, line ${others.length + 1})`);
    expect(fault.message).not.toContain('sesame');
  });

  it.each([
    ['{ web: /a, web/: /b }', '"/b" is for a prefix that is given twice', 2],
    ['\n  - web/: /a\n  - web: /b', 'sync[1].web: "/b" is for a prefix that is given twice', 4],
    ['\n  a/: [x]', 'is no folder, but a list or map', 3],
    ['\n  a/: ""', 'sync["a/"]: "" is no folder', 3],
    ['\n  a/: s3://x', '"s3://x" is an address, not a folder', 3],
    ['\n  s3://bucket/a: x', '"x" is for a prefix that is an address; one begins behind the bucket', 3],
    [
      `\n  - a/: x\n  - ${'p'.repeat(1024)}=y`,
      'is for a prefix that is longer than the 1024 bytes of a key',
      4,
    ],
    ['\n  /web: x', '"x" is for a prefix that begins with "/"', 3],
    ['\n  /: x', 'is for a prefix that begins with "/"', 3],
    ['\n  a//b: x', 'is for a prefix that has an empty segment', 3],
    ['\n  a//: x', 'is for a prefix that has an empty segment', 3],
    ['\n  a/../b/: x', 'is for a prefix that has a ".." segment', 3],
    ['{}', 'is empty; it is like { "PREFIX/": FOLDER }', 2],
    ['[]', 'is empty; it is like { "PREFIX/": FOLDER }', 2],
    ['[ web ]', '"web" is not PREFIX=FOLDER', 2],
    ['[ [ web ] ]', 'is no map like { "PREFIX/": FOLDER }', 2],
    ['\n  a/: .', '"." is a folder with the config file in it, which an object could replace', 3],
    ['\n  a/: ..', '".." is a folder with the config file in it', 3],
  ])('sync: %j', (sync, message, line) => {
    const fault = refused(() => read(`queue: q\nsync: ${sync}\n`));
    expect(fault.code).toBe('CONFIG_INVALID');
    expect(fault.message).toContain(message);
    expect(fault.message).toContain(`line ${line})`);
  });

  it('where the state lies within a mapped folder, or the reverse', () => {
    for (const state of ['/srv/a', '/srv/a/state', '/srv'])
      expect(refused(() => withField(`state: ${state}`)).message).toContain(
        'must be apart from the folders of "sync"',
      );
    expect(withField('state: /srv/ab').state).toBe('/srv/ab');
  });

  it('where what is needed is missing', () => {
    const { message } = refused(() => read('region: x\n'));
    expect(message).toContain('queue: is missing; give --queue, ISYNC_QUEUE or "queue" in the config file');
    expect(message).toContain('sync: is missing; give --sync, ISYNC_SYNC or "sync" in the config file');
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

describe('an owner', () => {
  it('is looked up on this machine when it is needed', () => {
    expect(resolveOwner(parseOwner('root'))).toEqual({ uid: 0, gid: 0 });
    expect(resolveOwner(parseOwner('root:daemon'))).toEqual({ uid: 0, gid: 1 });
    expect(resolveOwner(parseOwner('1000:2000'))).toEqual({ uid: 1000, gid: 2000 });
    expect(resolveOwner(parseOwner('root:7'))).toEqual({ uid: 0, gid: 7 });
    expect(() => resolveOwner(parseOwner('nobody-of-this-name'))).toThrow(
      'there is no user "nobody-of-this-name"',
    );
    expect(() => resolveOwner(parseOwner('0:no-such-group'))).toThrow('there is no group "no-such-group"');
  });

  it('that begins like an option is none', () => {
    expect(() => parseOwner('-x')).toThrow('is no owner');
    expect(() => parseOwner('4294967295:0')).toThrow('is too large');
  });
});
