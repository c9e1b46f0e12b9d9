/** What bash does between the lines: it lays things out, waits, looks at what came of it. */
interface Between {
  readonly sh: string;
}

interface Run {
  /** As a document prints it. */
  readonly line: string;
  /** Of a line that leaves something to the reader: its part, and what stands there. */
  readonly fill?: readonly [printed: string, typed: string];
  /** It runs in the background till this holds, asked again and again, and through what is `beside`; then it is ended by SIGTERM. */
  readonly until?: string;
  readonly beside?: readonly (Between | Run)[];
  /** Exit code of one that SIGTERM ends, where that is not 0 or 130. */
  readonly stopped?: number;
  /** File for what it prints. */
  readonly into?: string;
}

export type Step = Between | Run;

interface Machine {
  readonly name: string;
  /** Whether an S3 server answers at http://localhost:9000; buckets of the documents are others, with the names that it gives. */
  readonly s3?: boolean;
  readonly steps: readonly Step[];
}

const PORT_7400 = '(: </dev/tcp/127.0.0.1/7400) 2>/dev/null';
const TLS = '--tls-cert cert.pem --tls-key key.pem';
/** A receiver of README, beside which other lines run. */
const RECEIVER = `isync receive /srv/isync --listen 0.0.0.0:7400 --tokens /etc/isync/tokens.json ${TLS}`;
const finished = (...folders: readonly string[]): Between => ({
  sh: folders
    .map((each) => `mkdir -p ${each}; echo ${each} > ${each}/a.log; touch ${each}/finished.parse`)
    .join('\n'),
});
const TOKENS: Between = {
  sh: `mkdir -p /etc/isync /srv/isync /srv/buffer
       isync token add edge1 --tokens /etc/isync/tokens.json > /etc/isync/token
       chmod 600 /etc/isync/token; cp /etc/isync/tokens.json tokens`,
};
/** What a line leaves out that is said elsewhere: options may stand in the environment. */
const AS_EDGE1: Between = { sh: 'export ISYNC_DEVICE=edge1 ISYNC_TOKEN_FILE=/etc/isync/token' };

const RECEIVING: Machine = {
  name: 'a receiver, its devices, and what comes back',
  steps: [
    TOKENS,
    finished('/datas/DC1', '/datas/DC2'),
    {
      line: RECEIVER,
      until: PORT_7400,
      beside: [
        {
          line: 'isync scan /datas --to wss://backup.example:7400 … --expire-keep 30d --expire-min-free 20%',
          fill: ['…', '--device edge1 --token-file /etc/isync/token'],
          until: '[ -e /datas/DC1/finished.watch ] && [ -e /datas/DC2/finished.watch ]',
        },
        { sh: 'cp /etc/isync/token T' },
        {
          line: 'isync expire /datas --to wss://backup.example:7400 --device edge1 --token-file T --keep 7d --dry-run',
        },
        {
          line: 'isync expire /datas --to wss://backup.example:7400 --device edge1 --token-file T --keep 7d',
        },
        { sh: 'cmp /datas/DC1/a.log /srv/isync/edge1/DC1/a.log' },
        { line: 'isync token add edge1 --read --tokens /etc/isync/tokens.json', into: 'T' },
        { line: 'isync ls wss://backup.example:7400/edge1 --token-file T', into: 'listed' },
        { sh: 'grep DC1 listed' },
        { line: 'isync fetch wss://backup.example:7400/edge1 /srv/back --token-file T' },
        { line: 'isync fetch wss://backup.example:7400/edge1/DC1 /tmp/DC1 --token-file T' },
        { sh: 'cmp /datas/DC2/a.log /srv/back/DC2/a.log; cmp /datas/DC1/a.log /tmp/DC1/a.log' },
      ],
    },
    { line: 'isync ls /srv/isync', into: 'listed' },
    { sh: 'grep edge1 listed; rm -r /srv/back; echo "stores: { main: { url: /srv/isync } }" > isync.yaml' },
    { line: "isync fetch store:main/edge1 /srv/back 'DC1/**/*.log' DC2 --config isync.yaml" },
    { sh: 'cmp /datas/DC2/a.log /srv/back/DC2/a.log; cmp /datas/DC1/a.log /srv/back/DC1/a.log' },
  ],
};

const WATCHING: Machine = {
  name: 'who is told, and how it is seen',
  steps: [
    TOKENS,
    finished('/datas/DC1'),
    {
      sh: `mount -t tmpfs isync-test /usr/local/bin
           for each in after-seal arrived; do
             printf '#!/bin/sh\\ncat >> %s/%s.told\\n' "$PWD" $each > /usr/local/bin/$each; chmod +x /usr/local/bin/$each
           done
           cp cert.pem C; cp key.pem K`,
    },
    {
      line: 'isync receive /srv/buffer --retain 90d --retain-last 3 --listen 0.0.0.0:7400 --tokens /etc/isync/tokens.json --tls-cert C --tls-key K',
      until: PORT_7400,
      beside: [
        AS_EDGE1,
        {
          line: 'isync scan /datas --to wss://backup:7400 --on-seal /usr/local/bin/after-seal --on-problem https://alerts.example/isync',
          until: 'grep -q DC1 after-seal.told 2>/dev/null',
        },
      ],
    },
    finished('/camera/DC1'),
    { sh: 'cp tokens T' },
    {
      line: 'isync receive /srv/isync --tokens T --on-seal /usr/local/bin/arrived',
      until: PORT_7400,
      beside: [
        { sh: 'isync scan /camera --to ws://127.0.0.1:7400 --once' },
        { sh: 'until grep -q DC1 arrived.told 2>/dev/null; do sleep 0.1; done' },
      ],
    },
    {
      line: 'isync receive /srv/isync … --status 127.0.0.1:7481',
      fill: ['…', '--tokens T'],
      until: 'curl -sf http://127.0.0.1:7481 > /dev/null',
      beside: [
        { line: 'isync status --json', into: 'seen' },
        { sh: "jq -e '.reports | length > 0' seen" },
        { line: 'isync status --watch', into: 'seen', until: 'grep -q receive seen', stopped: 143 },
      ],
    },
    { sh: '(umask 077; openssl rand -hex 32 > /etc/isync/status-token); cp /etc/isync/status-token T' },
    {
      line: 'isync receive /srv/isync … --status 0.0.0.0:7481 --status-token-file /etc/isync/status-token',
      fill: ['…', '--tokens tokens'],
      until:
        'curl -sf -H "Authorization: Bearer $(cat T)" http://backup.example:7481/status.json > /dev/null',
      beside: [{ line: 'isync status --url http://backup:7481 --token-file T', into: 'seen' }],
    },
    { sh: 'grep receive seen' },
  ],
};

const BUCKET: Machine = {
  name: 'a bucket',
  s3: true,
  steps: [
    TOKENS,
    AS_EDGE1,
    { sh: 'export ISYNC_S3_ENDPOINT=http://localhost:9000; cp tokens T; unset ISYNC_TOKEN_FILE' },
    finished('/datas/DC1'),
    {
      line: 'isync scan /datas --to s3://bucket/site1 --s3-region eu-central-1',
      until: '[ -e /datas/DC1/finished.watch ]',
    },
    finished('/datas/DC2'),
    {
      line: 'isync scan /datas --to s3://bucket/site1 --s3-endpoint https://s3.example',
      fill: ['https://s3.example', 'http://localhost:9000'],
      until: '[ -e /datas/DC2/finished.watch ]',
    },
    { line: 'isync expire /datas --to s3://bucket/site1 --min-free 20%' },
    { line: 'isync ls s3://bucket/site1/edge1/DC1', into: 'listed' },
    { sh: 'grep a.log listed' },
    { line: 'isync fetch s3://bucket/site1/edge1 /srv/back' },
    { sh: 'grep -r /datas/DC1 /srv/back/DC1; grep -r /datas/DC2 /srv/back/DC2' },
    {
      line: 'isync receive s3://bucket/site1 --listen 0.0.0.0:7400 --tokens T …',
      fill: ['…', TLS],
      until: PORT_7400,
    },
    {
      line: 'isync receive s3://bucket/backup --s3-region eu-central-1 --listen 0.0.0.0:7400 --tokens /etc/isync/tokens.json',
      fill: ['tokens.json', `tokens.json ${TLS}`],
      until: PORT_7400,
    },
    finished('/datas/DC3', '/camera/DC1'),
    {
      sh: `echo 'scans: [
             { root: /datas, to: "s3://bucket/site1", device: edge1 },
             { root: /camera, to: "s3://bucket/site1", device: edge2, ignore: ["*.raw"] } ]' > /etc/isync/isync.yaml`,
    },
    {
      line: 'isync scan --config /etc/isync/isync.yaml',
      until: '[ -e /datas/DC3/finished.watch ] && [ -e /camera/DC1/finished.watch ]',
    },
  ],
};

const PINGS = 'curl -sf localhost:8080/ping > /dev/null';
const EVENT = `curl -sf localhost:8080/webhook -d '{ "Records": [ { "eventSource": "minio:s3", "eventName": "s3:ObjectCreated:Put",
  "s3": { "bucket": { "name": "photos" }, "object": { "key": "a%2Fb+c.jpg" } } } ] }'
  until grep -q 'copy s3://photos/a/b c.jpg' events; do sleep 0.1; done`;

const WEBHOOK: Machine = {
  name: 'a webhook',
  s3: true,
  steps: [
    {
      sh: `printf '#!/bin/sh\\necho "$3 s3://$1/$2" >> events\\n' > on-event && chmod +x on-event; touch events
           export ISYNC_MIN_FREE=0`,
    },
    {
      line: 'isync webhook --port 8080 --script on-event',
      until: PINGS,
      beside: [{ sh: EVENT }],
    },
    { sh: ': > events' },
    {
      line: 'isync webhook --port 8080 --script ./on-event',
      until: PINGS,
      beside: [{ sh: EVENT }],
    },
    {
      sh: `openssl rand -hex 24 > T
           export ISYNC_SOURCE_ENDPOINT=http://localhost:9000 ISYNC_TARGET_ENDPOINT=http://localhost:9000`,
    },
    { line: 'isync webhook --port 8080 --token-file T --to s3://photos-copy', until: PINGS },
  ],
};

const MIRROR_ANSWERS = 'curl -s http://localhost:7480/ > /dev/null';
const ON_9000 = 's3Endpoint: "http://localhost:9000"';

const MIRROR: Machine = {
  name: 'a mirror',
  s3: true,
  steps: [
    {
      // An address that nobody calls private, for this machine alone.
      sh: `ip address add 9.9.9.9/32 dev lo; echo '9.9.9.9 old.example' >> /etc/hosts
           mount -t tmpfs isync-test /var/log; mkdir /var/log/isync /etc/isync
           export ISYNC_LOG_FORMAT=json ISYNC_S3_ENDPOINT=http://localhost:9000
           printf 'img/a.jpg\\nimg/b.jpg\\n' > keys.txt
           cat > origin.mjs <<'ORIGIN'
           import { readFileSync } from 'node:fs';
           import { createServer } from 'node:https';
           createServer({ cert: readFileSync('cert.pem'), key: readFileSync('key.pem') }, (request, response) => {
             const found = request.url.endsWith('.jpg');
             response.writeHead(found ? 200 : 404, { 'content-type': 'image/jpeg', etag: '"1"' });
             response.end(found ? request.url.replace('/base', '') : '');
           }).listen(443);
ORIGIN
           "$TEST_NODE" origin.mjs & until (: </dev/tcp/9.9.9.9/443) 2>/dev/null; do sleep 0.1; done`,
    },
    {
      line: 'isync mirror --bucket s3://new --external-endpoint https://old.example/base --s3-endpoint http://localhost:9000',
      until: MIRROR_ANSWERS,
      beside: [
        {
          sh: `curl -si http://localhost:7480/img/a.jpg | grep -i 'Isync-Mirror: MISS'
               until curl -si http://localhost:7480/img/a.jpg | grep -i 'Isync-Mirror: HIT'; do sleep 0.1; done`,
        },
        {
          line: 'isync mirror fill --bucket s3://new --external-endpoint https://old.example/base --s3-endpoint http://localhost:9000 --list keys.txt',
          into: 'filled',
        },
        { sh: `curl -si http://localhost:7480/img/b.jpg | grep -i 'Isync-Mirror: HIT'` },
      ],
    },
    {
      line: 'isync mirror --bucket s3://new --external-endpoint https://old.example',
      until: MIRROR_ANSWERS,
    },
    {
      line: 's3_bucket=new external_endpoint=https://old.example service_endpoint=https://cdn.example isync mirror',
      until: MIRROR_ANSWERS,
      beside: [{ sh: `curl -si http://localhost:7480/img/a.jpg | grep -i 'Isync-Mirror: HIT'` }],
    },
    {
      sh: `echo '{ bucket: "s3://new", ${ON_9000}, rules: [{ origins: ["https://old.example"] }] }' > /etc/isync/mirror.yaml
           cp /etc/isync/mirror.yaml mirror.yaml
           printf 'https://old.example/img/c.jpg\\nhttps://old.example/none\\n' > urls.txt
           echo /img/d.jpg > paths.of.access.log; echo img/e.jpg > keys.txt`,
    },
    {
      line: 'isync mirror --config /etc/isync/mirror.yaml',
      until: MIRROR_ANSWERS,
      beside: [
        {
          line: 'isync mirror fill --config /etc/isync/mirror.yaml --list urls.txt --failed failed.txt',
        },
        { line: 'isync mirror fill --config /etc/isync/mirror.yaml --list failed.txt' },
        {
          line: "sort -u paths.of.access.log | sed 's|^|https://old.example|' | isync mirror fill --config /etc/isync/mirror.yaml --list -",
        },
        { line: 'isync mirror fill --config mirror.yaml --list keys.txt' },
        {
          sh: `for each in c d e; do curl -si http://localhost:7480/img/$each.jpg | grep -i 'Isync-Mirror: HIT'; done
               curl -s http://localhost:7480/img/f.jpg > /dev/null`,
        },
        {
          line: 'isync mirror verify --config /etc/isync/mirror.yaml --list urls.txt --failed wrong.txt',
        },
      ],
    },
    { sh: `cat logs > /var/log/isync/mirror.log; : > /var/log/isync/mirror.log.1` },
    {
      line: 'isync mirror report --config /etc/isync/mirror.yaml --days 30 --log /var/log/isync/mirror.log --log /var/log/isync/mirror.log.1',
      into: 'reported',
    },
    {
      sh: `grep 'img/' reported
           echo '{ bucket: "s3://photos-copy", ${ON_9000}, rules: [{ origins: ["store:old"] }], stores: { old: { url: "s3://new", endpoint: "http://localhost:9000" } } }' > /etc/isync/mirror.yaml`,
    },
    { line: 'isync mirror fill --config /etc/isync/mirror.yaml' },
    { line: 'isync mirror verify --config /etc/isync/mirror.yaml' },
  ],
};

const BACKUP: Machine = {
  name: 'backups',
  steps: [
    {
      sh: `mkdir -p /etc/isync /srv/app/etc /srv/backups
           echo one > /srv/app/config.json; echo two > /srv/app/etc/a.conf
           echo 'jobs: [{ name: app_data, sources: [/srv/app], schedule: "30 2 * * *", to: [/srv/backups] }]' > /etc/isync/backup.yaml`,
    },
    { line: 'isync backup check --config /etc/isync/backup.yaml' },
    { line: 'isync backup run --config /etc/isync/backup.yaml' },
    { line: 'isync backup list --config /etc/isync/backup.yaml', into: 'listed' },
    { sh: 'grep app_data listed' },
    { line: 'isync backup restore latest --to /srv/back --config /etc/isync/backup.yaml' },
    { sh: 'cmp /srv/app/config.json /srv/back/srv/app/config.json; rm -r /srv/back' },
    {
      line: "isync backup restore latest srv/app/etc '*.conf' --to /srv/back --config /etc/isync/backup.yaml",
    },
    {
      sh: 'cmp /srv/app/etc/a.conf /srv/back/srv/app/etc/a.conf; test ! -e /srv/back/srv/app/config.json; rm -r /srv/back',
    },
    {
      line: "isync backup restore --at '2025-04-05 12:00' --to /srv/back --config /etc/isync/backup.yaml",
      fill: ['2025-04-05 12:00', '2999-04-05 12:00'],
    },
    { sh: 'cmp /srv/app/config.json /srv/back/srv/app/config.json' },
    {
      line: 'isync backup restore latest --stdout srv/app/config.json --config /etc/isync/backup.yaml',
      into: 'config.json',
    },
    { sh: 'cmp /srv/app/config.json config.json' },
    { line: 'isync backup restore latest --replace --to /srv/back --config /etc/isync/backup.yaml' },
    { sh: 'cmp /srv/app/config.json /srv/back/srv/app/config.json' },
    {
      line: 'isync backup daemon --config /etc/isync/backup.yaml',
      until: 'isync status --json | jq -e ".reports | length > 0" > /dev/null',
      beside: [{ line: 'isync status', into: 'seen' }, { sh: 'grep app_data seen' }],
    },
  ],
};

export const MACHINES: readonly Machine[] = [RECEIVING, WATCHING, BUCKET, WEBHOOK, MIRROR, BACKUP];

const AT_RECEIVER = '/datas --to wss://backup.example:7400 --device edge1 --token-file /etc/isync/token';

/** Lines that another test types as they are printed, or runs with names of its own. */
export const ELSEWHERE: Readonly<Record<string, string>> = {
  'isync init --unit': 'test/long/readme.test.ts',
  "isync init --unit --join 'wss://backup.example:7400#TOKEN#FINGERPRINT#edge1'": 'test/long/readme.test.ts',
  'isync token add edge1 --tokens /etc/isync/tokens.json': 'test/long/readme.test.ts',
  [`isync scan ${AT_RECEIVER}`]: 'test/long/readme.test.ts',
  [`isync verify ${AT_RECEIVER}`]: 'test/long/readme.test.ts',
  [`isync expire ${AT_RECEIVER} --keep 7d --dry-run`]: 'test/long/readme.test.ts',
  'isync ls /srv/isync/edge1': 'test/long/readme.test.ts',
  'isync fetch /srv/isync/edge1/DC1 /tmp/DC1': 'test/long/readme.test.ts',
  [`isync doctor scan ${AT_RECEIVER}`]: 'test/long/readme.test.ts',
  [RECEIVER.replace('receive', 'doctor receive')]: 'test/long/readme.test.ts',
  // Their queue is of AWS: there a server of the test stands in for it.
  'isync pull --config pull.yaml --check': 'test/long/pull-check.test.ts',
  'isync pull --config pull.yaml --resync': 'test/long/pull-resync.test.ts',
  'isync pull --config /etc/isync/pull.yaml --check': 'test/long/pull-check.test.ts',
  'isync pull --config /etc/isync/pull.yaml --resync': 'test/long/pull-resync.test.ts',
  'isync pull parked list --config /etc/isync/pull.yaml': 'test/long/pull-parked-command.test.ts',
  'isync pull parked show ID --config …': 'test/long/pull-parked-command.test.ts',
  'isync pull parked replay ID --config …': 'test/long/pull-parked-command.test.ts',
  'isync pull parked drop ID --config …': 'test/long/pull-parked-command.test.ts',
  'isync webhook --source amqp://USER:PASSWORD@RABBIT/s3-events --to s3://backup':
    'test/long/source-brokers.test.ts',
  'isync webhook --source nats://NATS/s3-events --to s3://backup': 'test/long/source-brokers.test.ts',
};

/** Why no test runs it. */
export const NOT_RUN: Readonly<Record<string, string>> = {};

/** The lines of steps, and of those beside them. */
export function linesOf(steps: readonly Step[]): string[] {
  return steps.flatMap((step) => ('line' in step ? [step.line, ...linesOf(step.beside ?? [])] : []));
}
