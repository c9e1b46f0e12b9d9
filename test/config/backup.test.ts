import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { beforeEach, describe, expect, it } from 'vitest';
import { allDay } from '../../src/flow/bandwidth.ts';
import { jobsOf } from '../../src/backup/jobs-of-config.ts';
import type { BackupJob } from '../../src/backup/job.ts';
import { readConfigFile } from '../../src/config/parse-config-file.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { backupSchema } from '../../src/config/schemas/backup.ts';
import type { CommandSettings } from '../../src/config/sources.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { refused } from './pull-file.ts';

const identity = await generateX25519Identity();
const RECIPIENT = await identityToRecipient(identity);
const SETTINGS: CommandSettings = {
  section: 'backup',
  ownFile: true,
  sections: ['backup', 'scan'],
  places: [],
  secrets: [],
  names: [],
};

let folder: string;
let file: string;
beforeEach(() => {
  folder = join(temporaryFolder(), 'etc');
  mkdirSync(folder);
  file = join(folder, 'backup.yaml');
});

function read(text: string, environment: Record<string, string> = {}) {
  writeFileSync(file, text);
  return readConfig(backupSchema, SETTINGS, {
    flags: { config: file },
    environment,
    readFile: readConfigFile,
  });
}

/** The least that a job must have, and more of it. */
const job = (more = '', name = 'app'): string =>
  `  - name: ${name}\n    sources: [/srv/${name}]\n    to: [/mnt/usb]\n${more === '' ? '' : `    ${more}\n`}`;
const one = (text: string, environment?: Record<string, string>): BackupJob =>
  jobsOf(read(text, environment))[0]!;
const withLine = (line: string, environment?: Record<string, string>): BackupJob =>
  one(`jobs:\n${job(line)}`, environment);
const fault = (text: string): string => refused(() => read(text)).message;

const FULL = `
jobs:
  - name: app_data
    sources: [{ path: /srv/app/, exclude: ["**/*.tmp"], oneFilesystem: true },
              { command: [pg_dump, app], as: app.sql }]
    schedule: "0 30 2 * * *"
    timezone: Asia/Shanghai
    full: 7d
    to: [{ url: s3://bucket/prefix, endpoints: [https://a, https://b], storageClass: STANDARD_IA,
           lock: { mode: governance, days: 30 } }, { url: /mnt/usb }]
    compress: zstd
    encrypt: { recipients: [${RECIPIENT}], identityFile: /etc/isync/key }
    keep: { days: 7, last: 3, weekly: 4, monthly: 12, min: 2 }
    tags: { env: production, owner: team-alpha }
    verify: { schedule: "0 5 * * 0", sample: 2GiB }
    notify: [{ type: wecom, url: { env: WECOM }, on: [failure, overdue, recovered] },
             { type: dingtalk, url: { env: DING }, secret: { env: DING_SECRET } },
             { type: webhook, url: { env: HOOK }, headers: { Authorization: { env: TOKEN } }, body: '{"text":"{title}"}' },
             { type: email, host: mail.example, user: me, password: { env: MAIL }, from: a@example.org, to: b@example.org, on: success },
             { type: command, command: [notify-send, backup] },
             { type: ping, url: { env: PING } }]
    before: [/usr/bin/fsfreeze, -f, /srv]
    after: [/usr/bin/fsfreeze, -u, /srv]
    bwlimit: 20MB/s
    jitter: 10m
    maxAge: 26h
    stateDir: /var/lib/isync/app
    spool: { max: 2GiB }
    template: "{system}-{version}"
`;
const SECRETS = {
  WECOM: 'https://qyapi.example/sesame',
  DING: 'https://oapi.example/sesame',
  DING_SECRET: 'sesame-1',
  HOOK: 'https://hook.example/sesame',
  TOKEN: 'Bearer sesame',
  MAIL: 'sesame-2',
  PING: 'https://hc.example/sesame',
};

describe('the settings of a backup', () => {
  it('are all that the file says', () => {
    const config = read(FULL, SECRETS);
    expect(JSON.stringify(config)).not.toContain('sesame');
    const [found] = jobsOf(config);
    expect(found).toMatchObject({
      name: 'app_data',
      sources: [
        { kind: 'folder', path: '/srv/app', oneFilesystem: true, allowEmpty: false },
        { kind: 'command', command: ['pg_dump', 'app'], as: 'app.sql', allowEmpty: false },
      ],
      schedule: { kind: 'cron', pattern: '0 30 2 * * *' },
      timezone: 'Asia/Shanghai',
      fullEveryMs: 7 * 86_400_000,
      to: [
        {
          kind: 's3',
          bucket: 'bucket',
          prefix: 'prefix',
          endpoints: ['https://a/', 'https://b/'],
          storageClass: 'STANDARD_IA',
          lock: { mode: 'governance', days: 30 },
        },
        { kind: 'folder', path: '/mnt/usb' },
      ],
      compress: 'zstd',
      recipients: [RECIPIENT],
      identityFile: '/etc/isync/key',
      keep: { days: 7, last: 3, weekly: 4, monthly: 12, min: 2 },
      tags: { env: 'production', owner: 'team-alpha' },
      verify: { schedule: { kind: 'cron', pattern: '0 5 * * 0' }, sampleBytes: 2 * 2 ** 30 },
      before: ['/usr/bin/fsfreeze', '-f', '/srv'],
      after: ['/usr/bin/fsfreeze', '-u', '/srv'],
      bwlimit: allDay(20_000_000),
      jitterMs: 600_000,
      maxAgeMs: 26 * 3_600_000,
      stateDir: '/var/lib/isync/app',
      spoolBytes: 2 * 2 ** 30,
      nameTemplate: '{system}-{version}',
    });
    const [source] = found!.sources;
    expect(source).toMatchObject({ exclude: ['**/*.tmp'] });
    const usual = new Set(['failure', 'overdue', 'recovered']);
    expect(found!.notify).toEqual([
      { name: 'notify[0] wecom', on: usual, way: { type: 'wecom', url: SECRETS.WECOM } },
      {
        name: 'notify[1] dingtalk',
        on: usual,
        way: { type: 'dingtalk', url: SECRETS.DING, secret: 'sesame-1' },
      },
      {
        name: 'notify[2] webhook',
        on: usual,
        way: {
          type: 'webhook',
          url: SECRETS.HOOK,
          headers: { authorization: 'Bearer sesame' },
          body: '{"text":"{title}"}',
        },
      },
      {
        name: 'notify[3] email',
        on: new Set(['success']),
        way: {
          type: 'email',
          host: 'mail.example',
          port: 587,
          security: 'starttls',
          user: 'me',
          password: 'sesame-2',
          from: 'a@example.org',
          to: ['b@example.org'],
        },
      },
      { name: 'notify[4] command', on: usual, way: { type: 'command', command: ['notify-send', 'backup'] } },
      {
        name: 'notify[5] ping',
        on: new Set(['start', 'success', 'problems', 'failure']),
        way: { type: 'ping', url: SECRETS.PING },
      },
    ]);
  });

  it('are few where the usual will do', () => {
    expect(one(`jobs:\n${job()}`)).toEqual({
      name: 'app',
      sources: [
        {
          kind: 'folder',
          path: '/srv/app',
          exclude: [],
          oneFilesystem: false,
          allowEmpty: false,
        },
      ],
      schedule: undefined,
      timezone: new Intl.DateTimeFormat('en').resolvedOptions().timeZone,
      fullEveryMs: undefined,
      to: [{ kind: 'folder', path: '/mnt/usb' }],
      compress: 'zstd',
      recipients: [],
      identityFile: undefined,
      keep: undefined,
      tags: {},
      verify: undefined,
      notify: [],
      before: undefined,
      after: undefined,
      bwlimit: undefined,
      jitterMs: 0,
      maxAgeMs: undefined,
      stateDir: join(`${file}.state`, 'app'),
      spoolBytes: 10 * 2 ** 30,
      nameTemplate: '{system}_{type}_{timestamp}_{version}',
    });
  });

  it('may say how often instead of when', () => {
    expect(withLine('every: 24h').schedule).toEqual({ kind: 'every', everyMs: 86_400_000 });
    expect(withLine('full: 30d').fullEveryMs).toBe(30 * 86_400_000);
    expect(withLine('full: 4w').fullEveryMs).toBe(28 * 86_400_000);
  });

  it('may have keys for a bucket, which are never shown', () => {
    writeFileSync(join(folder, 'secret'), 'sesame\n');
    const credentials = `{ accessKeyId: AKIA, secretAccessKey: { file: ${join(folder, 'secret')} } }`;
    const text = `jobs:\n  - name: app\n    sources: [/srv]\n    to: [{ url: s3://bucket, credentials: ${credentials} }]\n`;
    expect(JSON.stringify(read(text))).not.toContain('sesame');
    expect(one(text).to).toMatchObject([{ credentials: { accessKeyId: 'AKIA', secretAccessKey: 'sesame' } }]);
  });
});

describe('a wrong setting of a backup is told with its place:', () => {
  it.each([
    ['schedule: "* * *"', 'jobs[0].schedule: "* * *" is no schedule of 5 or 6 fields'],
    ['schedule: "61 * * * *"', 'jobs[0].schedule: "61 * * * *" is no schedule'],
    ['schedule: "0 0 31 2 *"', 'is a schedule that is never due'],
    ['schedule: "0 0 0 * * * 2030"', 'is no schedule of 5 or 6 fields'],
    ['timezone: Asia/Shangai', 'jobs[0].timezone: "Asia/Shangai" is no time zone like'],
    ['full: 7', 'jobs[0].full: "7" is no time with a unit'],
    ['full: 1s', 'jobs[0].full: "1s" is too short'],
    ['keep: { min: 2 }', 'jobs[0].keep: keeps nothing'],
    ['keep: { last: 0 }', 'jobs[0].keep.last: "0" is no whole number from 1 up'],
    ['keep: { week: 4 }', 'has no setting "week"; did you mean "weekly"?'],
    ['compress: lz4', 'jobs[0].compress: "lz4" is none of zstd, gzip, none'],
    [
      'encrypt: { recipients: [age1xyz] }',
      'jobs[0].encrypt.recipients[0]: "age1xyz" is no public key of age',
    ],
    ['encrypt: { recipients: [] }', 'jobs[0].encrypt.recipients: [] is missing'],
    ['tags: { "aws:x": y }', 'jobs[0].tags["aws:x"]: "y" is no tag that S3 takes'],
    ['tags: { a: "<b>" }', 'is no tag that S3 takes'],
    [
      `tags: {${Array.from({ length: 11 }, (_, at) => ` k${at}: v`).join(',')} }`,
      'jobs[0].tags: has more than the 10 tags',
    ],
    ['verify: { schedule: "0 5 * * 0", every: 1d }', 'jobs[0].verify.every: "1d" is given beside "schedule"'],
    ['schedule: "0 5 * * 0"\n    every: 1d', 'jobs[0].every: "1d" is given beside "schedule"'],
    ['before: fsfreeze -f /srv', 'is one program, for there is no shell'],
    ['before: [./x, a]', 'is neither a name to be looked for in PATH nor an absolute path'],
    ['stateDir: state', 'jobs[0].stateDir: "state" is no absolute path'],
    ['stateDir: /mnt/usb/state', 'must be apart from "stateDir"'],
    ['spool: { max: 1MiB }', 'jobs[0].spool.max: "1MiB" is too small'],
    ['template: "{system}_{timestamp}"', 'must have {version} once'],
    ['template: "{system}/{version}"', 'is no name'],
    ['template: "{host}_{version}"', 'has {host}, which is none of {system}, {type}'],
    ['notify: [{ type: wechat }]', 'jobs[0].notify[0].type: "wechat" is none of webhook, slack, wecom'],
    ['notify: [{ url: { env: X } }]', 'jobs[0].notify[0].type: is missing; it is one of webhook'],
    ['notify: [{ type: slack, url: { env: X }, on: [fail] }]', 'has "fail", which is none of start, success'],
    [
      'notify: [{ type: email, host: a, from: a@b, to: a@b, user: x }]',
      'jobs[0].notify[0].password: is missing',
    ],
    ['retain: 7', 'jobs[0]: has no setting "retain"'],
  ])('%s', (line, told) => {
    const { code, message } = refused(() => withLine(line, { X: 'https://a.example' }));
    expect(code).toBe('CONFIG_INVALID');
    expect(message).toContain(told);
    expect(message).toMatch(/backup\.yaml, line \d+/);
  });

  it('an address that is a secret, and is not shown', () => {
    const message = fault(`jobs:\n${job('notify: [{ type: slack, url: https://hooks.example/sesame }]')}`);
    expect(message).toContain(
      'jobs[0].notify[0].url: does not belong into a config file; name what holds it',
    );
    expect(message).not.toContain('sesame');
  });

  it('a private key in the place of a public one', () => {
    const message = fault(`jobs:\n${job(`encrypt: { recipients: [${identity}] }`)}`);
    expect(message).toContain('is a private key, which belongs into the file that "identityFile" names');
  });

  it.each([
    ['[srv/app]', 'jobs[0].sources[0]: "srv/app" is no absolute path'],
    ['[]', 'is empty; a job has one source at least'],
    [
      '[/srv, /srv/app]',
      'jobs[0].sources[1]: "/srv/app" lies in, or holds, the place of another source (/srv)',
    ],
    ['[/srv/app, { path: /srv/app/ }]', 'is the same place in the archive as another source (/srv/app)'],
    ['[/srv, { command: [a], as: srv/x }]', 'lies in, or holds, the place of another source (/srv)'],
    ['[{ command: [a], as: ../x }]', 'jobs[0].sources[0].as: "../x" is no path in an archive'],
    ['[{ command: [a] }]', 'jobs[0].sources[0].as: is missing'],
    ['[{ command: [], as: x }]', 'jobs[0].sources[0].command: [] is empty'],
    ['[{ path: /srv, exclude: ["!a"] }]', 'there are no exceptions from patterns'],
    ['[{ path: /srv, exclude: ["a["] }]', 'has "a["'],
  ])('sources: %s', (sources, told) => {
    expect(fault(`jobs:\n  - name: app\n    sources: ${sources}\n    to: [/mnt/usb]\n`)).toContain(told);
  });

  it.each([
    ['[mnt/usb]', 'jobs[0].to[0]: "mnt/usb" is neither s3://BUCKET/PREFIX nor an absolute path'],
    ['[/mnt/usb, { url: /mnt/usb/ }]', 'is the same place as another one of the list'],
    [
      '[{ url: s3://bucket/x, endpoints: [https://a] }, { url: s3://bucket/x, endpoints: [https://b] }]',
      'is the same place as another one of the list',
    ],
    ['[{ url: s3://bucket, endpoint: https://a }]', 'has no setting "endpoint"; did you mean "endpoints"?'],
    ['[{ url: s3://bucket, endpoints: [a] }]', 'jobs[0].to[0].endpoints[0]: "a" is no URL like'],
    ['[{ url: s3://bucket, endpoints: [https://a, https://a/] }]', 'names a server twice'],
    [
      '[{ url: /mnt/usb, lock: { mode: governance, days: 1 } }]',
      'jobs[0].to[0].lock: is for an s3://BUCKET/PREFIX url only',
    ],
    ['[{ url: s3://bucket, lock: { mode: soft, days: 1 } }]', '"soft" is none of governance, compliance'],
    ['[{ url: s3://bucket, storageClass: GLACIER }]', 'can not be read back at once'],
    ['[/srv]', 'holds a source of the job'],
    ['[s3://Bucket]', 'names no bucket that can be'],
  ])('to: %s', (to, told) => {
    expect(fault(`jobs:\n  - name: app\n    sources: [/srv/app]\n    to: ${to}\n`)).toContain(told);
  });

  it.each([
    ['jobs: []\n', 'jobs: [] is empty'],
    ['status: 127.0.0.1:1\n', 'jobs: is missing'],
    [`jobs:\n${job('', 'a/b').replace('/srv/a/b', '/srv')}`, 'jobs[0].name: "a/b" is no name'],
    [`jobs:\n${job('', 'app')}${job('', 'App')}`, 'jobs[1].name: "App" is the name of another job already'],
    [
      `jobs:\n${job('stateDir: /var/x', 'a')}${job('stateDir: /var/x', 'b')}`,
      'jobs[1].stateDir: "/var/x" is the folder of another job already',
    ],
    [`jobss:\n${job()}`, 'jobss: is no setting of "backup"; did you mean "jobs"?'],
  ])('%j', (text, told) => {
    expect(fault(text)).toContain(told);
  });

  it('several at once', () => {
    expect(fault(`jobs:\n${job('compress: lz4\n    jitter: x')}`)).toMatch(/^2 settings are wrong:\n/);
  });
});
