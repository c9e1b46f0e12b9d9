import { freePort } from '../../harness/free-port.ts';
import { atTime, NOBODY } from './doctor-stage.ts';
import { at, type Case, ONCE, scanTo, type SetUp, tryEach, withDoctorStage } from './doctor-trial.ts';

const left = withDoctorStage();

/** A scan to a receiver with such a certificate. */
async function toCertificate(
  name: string,
  names: string,
  how: { days?: number; clock?: string } = {},
): Promise<SetUp> {
  const { cert, key } = at.stage.certificate(name, names, how);
  const url = await at.stage.receiver(['--tls-cert', cert, '--tls-key', key]);
  return scanTo(url, '--tls-ca', cert);
}

function tokenFile(content: string): readonly string[] {
  return ['--tls-ca', at.good.cert, '--token-file', at.stage.write('token', content, 0o600)];
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
    given: () => scanTo(at.plain.replace('ws:', 'wss:')),
    code: 'UNREACHABLE',
    says: /can't be reached/,
    cure: /wss:\/\/ where it has a certificate/,
  },
  {
    name: 'ws:// to a receiver with a certificate',
    given: () => scanTo(at.guarded.replace('wss:', 'ws:')),
    code: 'UNREACHABLE',
    says: /socket hang up/,
    cure: /wss:\/\/ where it has a certificate/,
  },
  {
    name: 'a certificate of an unknown CA',
    given: () => scanTo(at.guarded),
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
    given: () => ({ ...scanTo(at.guarded, ...tokenFile('x')), env: atTime('+100d') }),
    code: 'TLS_FAILED',
    says: /certificate has expired/,
    cure: /set the clock of this machine/,
  },
  {
    name: 'a clock that is behind',
    given: () => ({ ...scanTo(at.guarded, '--tls-ca', at.good.cert), env: atTime('-100d') }),
    code: 'TLS_FAILED',
    says: /not yet valid/,
    cure: /Set the clock of this machine/,
  },
  {
    name: 'a clock that is ahead where no certificate tells',
    given: () => ({ ...scanTo(at.plain), env: atTime('+3h') }),
    says: /is 3 hours ahead of that of the receiver/,
    cure: /Set the clock of this machine/,
    level: 'warn',
    itself: { unnoticed: 'nothing that it does depends on it: times of files are those of their disks' },
  },
  {
    name: 'no certificate where the receiver asks for one',
    given: async () => {
      const keys = ['--tls-cert', at.good.cert, '--tls-key', at.good.key];
      return scanTo(await at.stage.receiver([...keys, '--tls-ca', at.good.cert]), '--tls-ca', at.good.cert);
    },
    says: /can't be reached|TLS with/,
    cure: /--tls-cert and --tls-key|wss:\/\/ where it has/,
  },
  {
    name: 'a wrong path',
    given: () => scanTo(`${at.plain}/elsewhere`),
    code: 'UNREACHABLE',
    says: /has no \/v1\/replicate/,
    cure: /Check the path of the address/,
  },
  {
    name: 'a web server in the place of the receiver',
    given: async () => scanTo(`ws://127.0.0.1:${await at.stage.http(200, 'welcome')}`),
    code: 'UNREACHABLE',
    says: /not as an isync receiver/,
    cure: /what answers there/,
  },
  {
    name: 'something that never answers',
    given: async () => scanTo(`ws://127.0.0.1:${await at.stage.silence()}`),
    code: 'UNREACHABLE',
    says: /no answer within/,
    cure: /Nobody answers there/,
  },
  {
    name: 'a receiver of another version',
    given: async () =>
      scanTo(
        `ws://127.0.0.1:${await at.stage.http(426, '{"code":"VERSION_UNSUPPORTED","message":"isync.v9"}')}`,
      ),
    code: 'VERSION_UNSUPPORTED',
    says: /speaks no protocol version of ours: isync\.v9/,
    cure: /Update the older side/,
  },
  {
    name: 'no token',
    given: () => scanTo(at.guarded, '--tls-ca', at.good.cert),
    code: 'AUTH_REFUSED',
    says: /a token is needed/,
    cure: /isync token add DEVICE --tokens FILE/,
  },
  {
    name: 'a wrong token',
    given: () => scanTo(at.guarded, ...tokenFile('isync_wrong')),
    code: 'AUTH_REFUSED',
    says: /the token is wrong or has been revoked/,
    cure: /isync token add DEVICE --tokens FILE/,
  },
  {
    name: 'the token of another device',
    given: () => scanTo(at.guarded, '--tls-ca', at.good.cert, '--token-file', at.stage.path('edge2.token')),
    code: 'AUTH_REFUSED',
    says: /4403/,
    cure: /--device must be the DEVICE of the token/,
  },
  {
    name: 'a token for reading',
    given: () => scanTo(at.guarded, '--tls-ca', at.good.cert, '--token-file', at.stage.path('reads.token')),
    code: 'AUTH_REFUSED',
    says: /for reading only/,
    cure: /isync token add DEVICE --tokens FILE/,
  },
  {
    name: 'a token with a space',
    given: () => scanTo(at.guarded, ...tokenFile('isync_a b\n')),
    code: 'CONFIG_INVALID',
    says: /must hold one token on one line/,
    cure: /isync token add DEVICE --tokens FILE/,
  },
  {
    name: 'a token file that is not there',
    given: () => scanTo(at.guarded, '--tls-ca', at.good.cert, '--token-file', at.stage.path('none')),
    code: 'CONFIG_INVALID',
    says: /the token file is not there/,
    cure: /Check its path/,
  },
  {
    name: 'a token file that may not be read',
    given: () => ({
      command: 'scan',
      args: [at.stage.root(NOBODY), '--to', at.guarded, ...ONCE, ...tokenFile('isync_secret')],
      uid: NOBODY,
    }),
    code: 'CONFIG_INVALID',
    says: /can't be read \(EACCES\)/,
    cure: /Let the user that isync runs as read it/,
  },
  {
    name: 'a file of CAs that is not there',
    given: () => scanTo(at.guarded, '--tls-ca', at.stage.path('none.pem')),
    code: 'CONFIG_INVALID',
    says: /the file of --tls-ca is not there/,
    cure: /Check its path/,
  },
  {
    name: 'a full store at the receiver',
    given: async () => scanTo(await at.stage.receiver(['--min-free', '1000TiB'])),
    code: 'STORE_FULL',
    says: /the store (is full|keeps \d+ bytes free)/,
    cure: /Make room/,
  },
];

tryEach('a receiver', TO_RECEIVER, left);
