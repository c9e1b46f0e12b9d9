import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../harness/free-port.ts';
import { keysBelow } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { lacks, lacksRoot } from '../../harness/tools.ts';
import { atTime, DoctorStage, NOBODY, start, startProgram, type Start } from './doctor-stage.ts';

/** A set-up that does not work, or not well. */
interface SetUp extends Start {
  readonly command: 'scan' | 'receive';
  readonly args: readonly string[];
}

interface Case {
  readonly name: string;
  readonly given: (stage: DoctorStage) => SetUp | Promise<SetUp>;
  readonly code?: string;
  /** What is wrong, in the words of both. */
  readonly says: RegExp;
  /** What to do about it, in the words of both. */
  readonly cure: RegExp;
  /** What the command itself does: ends, goes on and tells it in its log, or does not notice. Default: ends. */
  readonly itself?: 'ends' | 'logs' | 'does not notice';
  readonly level?: 'warn' | 'fail';
}

interface Check {
  readonly name: string;
  readonly level: 'ok' | 'warn' | 'fail';
  readonly message: string;
  readonly code?: string;
  readonly hint?: string;
}

/** Of a scan that is to end by itself. */
const ONCE = ['--device', 'edge1', '--once', '--retry-for', '1s'];

let stage: DoctorStage;
let plain: string;
let guarded: string;
let tokens: string;
let good: { cert: string; key: string };

/** Keeps no modes, as vfat and exFAT: rclone takes a chmod and forgets it. */
async function mountWithoutModes(): Promise<string> {
  const [root, path] = [stage.root(), stage.make('mounted')];
  const mount = startProgram('rclone', ['mount', root, path, '--vfs-cache-mode', 'writes']);
  stage.defer(() => execFileSync('fusermount3', ['-u', path]));
  await mount.until('the mount', () => statSync(path).dev !== statSync(root).dev);
  return path;
}

const TOOLS = ['openssl', 'faketime', 'setfacl', 'inotifywait', 'rclone', 'fusermount3'] as const;
const left = lacksRoot() || TOOLS.map(lacks).includes(true);

beforeAll(async () => {
  if (left) return;
  stage = new DoctorStage();
  tokens = stage.path('tokens');
  await stage.token(tokens, 'edge1');
  await stage.token(tokens, 'edge2');
  good = stage.certificate('good', 'DNS:localhost,IP:127.0.0.1');
  [plain, guarded] = await Promise.all([
    stage.receiver(),
    stage.receiver(['--tokens', tokens, '--tls-cert', good.cert, '--tls-key', good.key]),
  ]);
});
afterAll(async () => await stage?.[Symbol.asyncDispose]());

/** `isync scan` of a root that is as it should be. */
function scanTo(to: string, ...more: readonly string[]): SetUp {
  return { command: 'scan', args: [stage.root(), '--to', to, ...ONCE, ...more] };
}

function receive(store: string, ...more: readonly string[]): SetUp {
  return { command: 'receive', args: [store, '--listen', '127.0.0.1:0', ...more] };
}

/** A scan to a receiver with such a certificate. */
async function toCertificate(name: string, names: string, how: { days?: number; clock?: string } = {}): Promise<SetUp> {
  const { cert, key } = stage.certificate(name, names, how);
  const url = await stage.receiver(['--tls-cert', cert, '--tls-key', key]);
  return scanTo(url, '--tls-ca', cert);
}

function tokenFile(content: string): readonly string[] {
  return ['--tls-ca', good.cert, '--token-file', stage.write('token', content, 0o600)];
}

function tmpfs(options: string, name = 'disk'): string {
  const path = stage.make(name);
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'isync-test', path]);
  stage.defer(() => execFileSync('umount', [path]));
  return path;
}

const TO_RECEIVER: readonly Case[] = [
  {
    name: 'a wrong port',
    given: async () => scanTo(`ws://127.0.0.1:${await freePort()}`),
    code: 'UNREACHABLE',
    says: /ECONNREFUSED/,
    cure: /Nothing listens there: check the port/,
  },
  {
    name: 'a name that nobody knows',
    given: () => scanTo('ws://no-such-host.invalid:7400'),
    code: 'UNREACHABLE',
    says: /no-such-host\.invalid:7400 can't be reached: getaddrinfo/,
    cure: /\/etc\/resolv\.conf/,
  },
  {
    name: 'wss:// to a receiver without a certificate',
    given: () => scanTo(plain.replace('ws:', 'wss:')),
    code: 'UNREACHABLE',
    says: /can't be reached/,
    cure: /wss:\/\/ where it has a certificate/,
  },
  {
    name: 'ws:// to a receiver with a certificate',
    given: () => scanTo(guarded.replace('wss:', 'ws:')),
    code: 'UNREACHABLE',
    says: /socket hang up/,
    cure: /wss:\/\/ where it has a certificate/,
  },
  {
    name: 'a certificate of an unknown CA',
    given: () => scanTo(guarded),
    code: 'TLS_FAILED',
    says: /self-signed certificate/,
    cure: /Name the CA that has signed it with --tls-ca/,
  },
  {
    name: 'a name that is not in the certificate',
    given: async () => await toCertificate('other', 'DNS:backup.example'),
    code: 'TLS_FAILED',
    says: /does not match certificate's altnames/,
    cure: /a name that the certificate has/,
  },
  {
    name: 'a certificate that has expired',
    given: async () => await toCertificate('expired', 'IP:127.0.0.1', { days: 10, clock: '-40d' }),
    code: 'TLS_FAILED',
    says: /certificate has expired/,
    cure: /Renew the certificate/,
  },
  {
    name: 'a certificate of tomorrow',
    given: async () => await toCertificate('tomorrow', 'IP:127.0.0.1', { clock: '+1d' }),
    code: 'TLS_FAILED',
    says: /not yet valid/,
    cure: /Set the clock of this machine/,
  },
  {
    name: 'a clock that is ahead',
    given: () => ({ ...scanTo(guarded, ...tokenFile('x')), env: atTime('+100d') }),
    code: 'TLS_FAILED',
    says: /certificate has expired/,
    cure: /set the clock of this machine/,
  },
  {
    name: 'a clock that is behind',
    given: () => ({ ...scanTo(guarded, '--tls-ca', good.cert), env: atTime('-100d') }),
    code: 'TLS_FAILED',
    says: /not yet valid/,
    cure: /Set the clock of this machine/,
  },
  {
    name: 'a clock that is ahead where no certificate tells',
    given: () => ({ ...scanTo(plain), env: atTime('+3h') }),
    says: /is 3 hours ahead of that of the receiver/,
    cure: /Set the clock of this machine/,
    level: 'warn',
    itself: 'does not notice',
  },
  {
    name: 'no certificate where the receiver asks for one',
    given: async () => {
      const keys = ['--tls-cert', good.cert, '--tls-key', good.key];
      return scanTo(await stage.receiver([...keys, '--tls-ca', good.cert]), '--tls-ca', good.cert);
    },
    says: /can't be reached|TLS with/,
    cure: /--tls-cert and --tls-key|wss:\/\/ where it has/,
  },
  {
    name: 'a wrong path',
    given: () => scanTo(`${plain}/elsewhere`),
    code: 'UNREACHABLE',
    says: /has no \/v1\/replicate/,
    cure: /Check the path of the address/,
  },
  {
    name: 'a web server in the place of the receiver',
    given: async () => scanTo(`ws://127.0.0.1:${await stage.http(200, 'welcome')}`),
    code: 'UNREACHABLE',
    says: /not as an isync receiver/,
    cure: /what answers there/,
  },
  {
    name: 'something that never answers',
    given: async () => scanTo(`ws://127.0.0.1:${await stage.silence()}`),
    code: 'UNREACHABLE',
    says: /no answer within/,
    cure: /Nobody answers there/,
  },
  {
    name: 'a receiver of another version',
    given: async () =>
      scanTo(`ws://127.0.0.1:${await stage.http(426, '{"code":"VERSION_UNSUPPORTED","message":"isync.v9"}')}`),
    code: 'VERSION_UNSUPPORTED',
    says: /speaks no protocol version of ours: isync\.v9/,
    cure: /Update the older side/,
  },
  {
    name: 'no token',
    given: () => scanTo(guarded, '--tls-ca', good.cert),
    code: 'AUTH_REFUSED',
    says: /a token is needed/,
    cure: /isync token add DEVICE --tokens FILE/,
  },
  {
    name: 'a wrong token',
    given: () => scanTo(guarded, ...tokenFile('isync_wrong')),
    code: 'AUTH_REFUSED',
    says: /the token is wrong or has been revoked/,
    cure: /isync token add DEVICE --tokens FILE/,
  },
  {
    name: 'the token of another device',
    given: () => scanTo(guarded, '--tls-ca', good.cert, '--token-file', stage.path('edge2.token')),
    code: 'AUTH_REFUSED',
    says: /4403/,
    cure: /--device must be the DEVICE of the token/,
  },
  {
    name: 'a token with a space',
    given: () => scanTo(guarded, ...tokenFile('isync_a b\n')),
    code: 'CONFIG_INVALID',
    says: /must hold one token on one line/,
    cure: /isync token add DEVICE --tokens FILE/,
  },
  {
    name: 'a token file that is not there',
    given: () => scanTo(guarded, '--tls-ca', good.cert, '--token-file', stage.path('none')),
    code: 'CONFIG_INVALID',
    says: /the token file is not there/,
    cure: /Check its path/,
  },
  {
    name: 'a token file that may not be read',
    given: () => ({
      command: 'scan',
      args: [stage.root(NOBODY), '--to', guarded, ...ONCE, ...tokenFile('isync_secret')],
      uid: NOBODY,
    }),
    code: 'CONFIG_INVALID',
    says: /can't be read \(EACCES\)/,
    cure: /Let the user that isync runs as read it/,
  },
  {
    name: 'a file of CAs that is not there',
    given: () => scanTo(guarded, '--tls-ca', stage.path('none.pem')),
    code: 'CONFIG_INVALID',
    says: /the file of --tls-ca is not there/,
    cure: /Check its path/,
  },
  {
    name: 'a full store at the receiver',
    given: async () => scanTo(await stage.receiver(['--min-free', '1000TiB'])),
    code: 'STORE_FULL',
    says: /the store (is full|keeps \d+ bytes free)/,
    cure: /Make room/,
  },
];

const ROOT: readonly Case[] = [
  {
    name: 'a root that is not there',
    given: () => ({ command: 'scan', args: [stage.path('no-root'), '--to', plain, ...ONCE] }),
    code: 'ROOT_MISSING',
    says: /is not a folder/,
    cure: /Create it, mount it, or name another root/,
  },
  {
    name: 'a root that is a data directory',
    given: () => ({ command: 'scan', args: [join(stage.root(), 'D1'), '--to', plain, ...ONCE] }),
    code: 'CONFIG_INVALID',
    says: /looks like a data directory itself/,
    cure: /Give its parent: isync scan/,
  },
  {
    name: 'a root that may not be read',
    given: () => {
      const root = stage.root();
      chmodSync(root, 0o700);
      return { command: 'scan', args: [root, '--to', plain, ...ONCE], uid: NOBODY };
    },
    code: 'FILE_UNREADABLE',
    says: /EACCES/,
    cure: /Grant isync read permission/,
  },
  {
    name: 'a root that is mounted read-only',
    given: () => {
      const root = tmpfs('size=1m');
      mkdirSync(join(root, 'D1'));
      writeFileSync(join(root, 'D1/a'), 'a');
      execFileSync('mount', ['-o', 'remount,ro', root]);
      return { command: 'scan', args: [root, '--to', plain, ...ONCE] };
    },
    code: 'READ_ONLY',
    says: /EROFS/,
    cure: /Mount the root writable/,
  },
  {
    name: 'files of another user',
    given: () => ({ command: 'scan', args: [stage.root(), '--to', plain, ...ONCE], uid: NOBODY }),
    code: 'MARK_NOT_KEPT',
    says: /can't be marked|could be marked/,
    cure: /Run isync as the owner of the files \(or as root\)/,
  },
  {
    name: 'a file system without Unix permissions',
    given: async () => ({ command: 'scan', args: [await mountWithoutModes(), '--to', plain, ...ONCE] }),
    code: 'MARK_NOT_KEPT',
    says: /the file system does not keep the group-write bit/,
    cure: /Use a file system with Unix permissions for the root \(vfat, exFAT/,
  },
  {
    name: 'a parser with umask 002',
    given: () => {
      const root = stage.root();
      // As the last write leaves it: nothing comes after.
      const path = join(root, 'D2/b');
      chmodSync(path, 0o664);
      utimesSync(path, statSync(path).atime, new Date(Date.now() + 1000));
      return { command: 'scan', args: [root, '--to', plain, ...ONCE] };
    },
    says: /made with the group-write bit/,
    cure: /umask 022/,
    level: 'warn',
    itself: 'does not notice',
  },
  {
    name: 'a default ACL',
    given: () => {
      const root = stage.root();
      execFileSync('setfacl', ['-d', '-m', 'g::rwx', join(root, 'D2')]);
      return { command: 'scan', args: [root, '--to', plain, ...ONCE] };
    },
    says: /by a default ACL/,
    cure: /setfacl -k/,
    level: 'warn',
    itself: 'does not notice',
  },
  {
    name: 'no inotify-tools',
    given: () => ({
      command: 'scan',
      args: [stage.root(), '--to', plain, '--device', 'edge1', '--complete', 'close-write'],
      env: { PATH: '/nonexistent' },
    }),
    code: 'CONFIG_INVALID',
    says: /inotifywait is not installed/,
    cure: /apt-get install inotify-tools/,
  },
  {
    name: 'too few inotify watches',
    given: () => ({
      command: 'scan',
      args: [stage.root(), '--to', plain, '--device', 'edge1', '--complete', 'settle'],
      wrap: ['unshare', '-Ur', 'sh', '-c', 'echo 1 >/proc/sys/user/max_inotify_watches; exec "$@"', 'sh'],
    }),
    says: /the limit of inotify watches is reached/,
    cure: /sysctl fs\.inotify\.max_user_watches/,
    level: 'warn',
    itself: 'logs',
  },
  {
    name: 'no inotify instances',
    given: () => ({
      command: 'scan',
      args: [stage.root(), '--to', plain, '--device', 'edge1', '--complete', 'settle'],
      wrap: ['unshare', '-Ur', 'sh', '-c', 'echo 0 >/proc/sys/user/max_inotify_instances; exec "$@"', 'sh'],
    }),
    says: /the limit of inotify instances/,
    cure: /sysctl fs\.inotify\.max_user_instances/,
    level: 'warn',
    itself: 'logs',
  },
  {
    name: 'few open files',
    given: () => ({ ...scanTo(plain), wrap: ['sh', '-c', 'ulimit -n 200; exec "$@"', 'sh'] }),
    says: /may have 200 open files/,
    cure: /Raise the limit of open files \(ulimit -n, LimitNOFILE=\)/,
    level: 'warn',
    itself: 'logs',
  },
];

const TO_FOLDER: readonly Case[] = [
  {
    name: 'a target folder that is not there',
    given: () => scanTo(stage.path('no-target')),
    code: 'STORE_MISSING',
    says: /the target folder is not there/,
    cure: /Make it with: mkdir -p/,
  },
  {
    name: 'a target inside the root',
    given: () => {
      const root = stage.root();
      return { command: 'scan', args: [root, '--to', join(root, 'D1'), ...ONCE] };
    },
    code: 'CONFIG_INVALID',
    says: /lies inside the root/,
    cure: /Root and target must be apart/,
  },
  {
    name: 'a target that may not be written to',
    given: () => ({
      command: 'scan',
      args: [stage.root(NOBODY), '--to', stage.make('target'), ...ONCE],
      uid: NOBODY,
    }),
    code: 'STORE_FAILED',
    says: /not permitted to write the store/,
    cure: /must be allowed to write everywhere below the store/,
  },
  {
    name: 'a full target',
    given: () => {
      const target = tmpfs('size=64k');
      execFileSync('sh', ['-c', 'head -c 1M /dev/zero >"$0/all" || true', target], { stdio: 'pipe' });
      return scanTo(target);
    },
    code: 'STORE_FULL',
    says: /the store is full/,
    cure: /Free some space or raise the quota/,
  },
];

const RECEIVE: readonly Case[] = [
  {
    name: 'a store that is not there',
    given: () => receive(stage.path('no-store')),
    code: 'STORE_MISSING',
    says: /there is no such folder/,
    cure: /Make the folder, or mount its disk/,
  },
  {
    name: 'a store that is a file',
    given: () => receive(stage.write('store', '')),
    code: 'STORE_MISSING',
    says: /this is not a folder/,
    cure: /Make the folder, or mount its disk/,
  },
  {
    name: 'a store that may not be written to',
    given: () => ({ ...receive(stage.make('store')), uid: NOBODY }),
    code: 'STORE_FAILED',
    says: /not permitted to write the store/,
    cure: /must be allowed to write everywhere below the store/,
  },
  {
    name: 'a store that root has begun',
    given: () => {
      const store = stage.make('store', NOBODY);
      mkdirSync(join(store, '.isync'), { mode: 0o700 });
      return { ...receive(store), uid: NOBODY };
    },
    code: 'STORE_FAILED',
    says: /not permitted to write the store .*\.isync/,
    cure: /must be allowed to write everywhere below the store/,
  },
  {
    name: 'a store that is mounted read-only',
    given: () => {
      const store = tmpfs('size=1m');
      execFileSync('mount', ['-o', 'remount,ro', store]);
      return receive(store);
    },
    code: 'STORE_FAILED',
    says: /the store is read-only/,
    cure: /Mount it writable/,
  },
  {
    name: 'a token file that is not there',
    given: () => receive(stage.make('store'), '--tokens', stage.path('no-tokens')),
    code: 'CONFIG_INVALID',
    says: /the token file .* can't be used/,
    cure: /isync token add DEVICE --tokens FILE/,
  },
  {
    name: 'a token file that is none',
    given: () => receive(stage.make('store'), '--tokens', stage.write('tokens', 'isync_plain\n', 0o600)),
    code: 'CONFIG_INVALID',
    says: /it is not JSON/,
    cure: /isync token add DEVICE --tokens FILE/,
  },
  {
    name: 'a network without tokens',
    given: () => ({ command: 'receive', args: [stage.make('store'), '--listen', '0.0.0.0:0'] }),
    code: 'CONFIG_INVALID',
    says: /without tokens a receiver listens on loopback only/,
    cure: /Give it tokens \(--tokens\)/,
  },
  {
    name: 'a key of another certificate',
    given: () => {
      const { key } = stage.certificate('another', 'DNS:localhost');
      return receive(stage.make('store'), '--tls-cert', good.cert, '--tls-key', key);
    },
    code: 'CONFIG_INVALID',
    says: /the TLS certificate or key can't be used/,
    cure: /belong together/,
  },
  {
    name: 'a key that is not there',
    given: () => receive(stage.make('store'), '--tls-cert', good.cert, '--tls-key', stage.path('no-key')),
    code: 'CONFIG_INVALID',
    says: /the file of --tls-key is not there/,
    cure: /Check its path/,
  },
  {
    name: 'a certificate of its own that has expired',
    given: () => {
      const { cert, key } = stage.certificate('old', 'DNS:localhost', { days: 10, clock: '-40d' });
      return receive(stage.make('store'), '--tls-cert', cert, '--tls-key', key);
    },
    code: 'TLS_FAILED',
    says: /the certificate has expired on/,
    cure: /Renew the certificate of the receiver/,
    itself: 'logs',
  },
  {
    name: 'a certificate of its own that soon expires',
    given: () => {
      const { cert, key } = stage.certificate('soon', 'DNS:localhost', { days: 3 });
      return receive(stage.make('store'), '--tls-cert', cert, '--tls-key', key);
    },
    says: /the certificate expires on/,
    cure: /see why it was not renewed/,
    level: 'warn',
    itself: 'logs',
  },
  {
    name: 'a certificate without a name',
    given: () => {
      const { cert, key } = stage.certificate('nameless', '');
      return receive(stage.make('store'), '--tls-cert', cert, '--tls-key', key);
    },
    code: 'TLS_FAILED',
    says: /the certificate has no name/,
    cure: /subjectAltName=DNS:NAME/,
    itself: 'logs',
  },
  {
    name: 'a port that something else has',
    given: async () => ({
      command: 'receive',
      args: [stage.make('store'), '--listen', `127.0.0.1:${await stage.http(404, '')}`],
    }),
    code: 'CONFIG_INVALID',
    says: /the port is taken/,
    cure: /Stop what uses it/,
  },
  {
    name: 'an address of another machine',
    given: () => ({
      command: 'receive',
      args: [stage.make('store'), '--listen', '203.0.113.7:0', '--insecure'],
    }),
    code: 'CONFIG_INVALID',
    says: /this machine has no such address/,
    cure: /Listen on 0\.0\.0\.0/,
  },
];

async function prove({ given, code, says, cure, itself = 'ends', level = 'fail' }: Case): Promise<void> {
  const { command, args, ...how } = await given(stage);
  await using doctor = start(['doctor', command, ...args, '--json'], how);
  const { exitCode, stdout, stderr } = await doctor.ended;
  const { checks } = JSON.parse(stdout) as { checks: readonly Check[] };
  const found = checks.filter((check) => check.level === level);
  const why = `${stdout}${stderr}`;
  expect(exitCode, why).toBe(level === 'fail' ? 1 : 0);
  expect(found, why).toContainEqual(
    expect.objectContaining({
      message: expect.stringMatching(says) as string,
      hint: expect.stringMatching(cure) as string,
      ...(code !== undefined && { code }),
    }),
  );
  if (itself === 'does not notice') return;
  await using daemon = start([command, ...args], how);
  if (itself === 'logs') await daemon.until('the cure', () => cure.test(daemon.stderr));
  else expect((await daemon.ended).exitCode, daemon.tail()).not.toBe(0);
  expect(daemon.stderr).toMatch(says);
  expect(daemon.stderr).toMatch(cure);
  if (code !== undefined && itself === 'ends') expect(daemon.stderr).toContain(code);
}

await withS3Server((server) => {
  const { endpoint, env } = server;
  const to = (bucket: string, more: Readonly<Record<string, string>> = {}, at = endpoint): SetUp => ({
    ...scanTo(`s3://${bucket}`, '--s3-endpoint', at),
    env: { ...env, ...more },
  });
  const cases: readonly Case[] = [
    {
      name: 'no such bucket',
      given: () => to('no-such-bucket'),
      code: 'STORE_MISSING',
      says: /no such bucket|there is no/i,
      cure: /bucket/,
    },
    {
      name: 'a wrong key',
      given: async () => to(await server.makeBucket(), { AWS_SECRET_ACCESS_KEY: 'wrong' }),
      code: 'STORE_REFUSED',
      says: /refuses the credentials/,
      cure: /secret|key|credentials/i,
    },
    {
      name: 'no credentials',
      given: async () => to(await server.makeBucket(), { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }),
      says: /credentials/i,
      cure: /./,
    },
    {
      name: 'an endpoint where nobody answers',
      given: async () => to(await server.makeBucket(), {}, `http://127.0.0.1:${await freePort()}`),
      code: 'UNREACHABLE',
      says: /ECONNREFUSED|can't be reached/,
      cure: /endpoint/i,
    },
    {
      name: 'a clock that is an hour ahead of the object store',
      given: async () => to(await server.makeBucket(), atTime('+1h')),
      says: /is 60 minutes ahead of that of the object store/,
      cure: /Set the clock of this machine/,
      // It signs by the clock of the store, once that has refused.
      level: 'warn',
      itself: 'does not notice',
    },
  ];
  describe.skipIf(left)('isync doctor names, with the cure that the command itself names, about a bucket:', () => {
    it.concurrent.each(cases)('$name', async (each) => await prove(each));
    it('nothing, where all is well; and leaves no object behind', async () => {
      const bucket = await server.makeBucket();
      const { args } = to(bucket);
      await using doctor = start(['doctor', 'scan', ...args], { env });
      const { exitCode, stdout } = await doctor.ended;
      expect(exitCode, stdout).toBe(0);
      expect(stdout).toContain('ok    permissions: list objects, list uploads under way, put an object in parts');
      expect(await keysBelow(server, bucket, '')).toEqual([]);
    });
  });
});

describe.skipIf(left).each([
  { what: 'a receiver', cases: TO_RECEIVER },
  { what: 'the root', cases: ROOT },
  { what: 'a target folder', cases: TO_FOLDER },
  { what: 'isync receive', cases: RECEIVE },
])('isync doctor names, with the cure that the command itself names, about $what:', ({ cases }) => {
  it.concurrent.each(cases)('$name', async (each) => await prove(each));
});

it('there are forty of them', () => {
  expect([...TO_RECEIVER, ...ROOT, ...TO_FOLDER, ...RECEIVE].length).toBeGreaterThanOrEqual(40);
});
