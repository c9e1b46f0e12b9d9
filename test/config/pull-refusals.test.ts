import { beforeEach, describe, expect, it } from 'vitest';
import { file, read, refused, withField, freshConfig } from './pull-file.ts';

beforeEach(freshConfig);

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
    const { message: other } = refused(() => read('queue: x\n'));
    expect(other).toContain('sync: is missing; give --sync, ISYNC_SYNC or "sync" in the config file');
  });
});
