import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { NOBODY } from './doctor-stage.ts';
import { at, type Case, type SetUp, tmpfs, tryEach, withDoctorStage } from './doctor-trial.ts';

const left = withDoctorStage();

function receive(store: string, ...more: readonly string[]): SetUp {
  return { command: 'receive', args: [store, '--listen', '127.0.0.1:0', ...more] };
}

const RECEIVE: readonly Case[] = [
  {
    name: 'a store that is not there',
    given: () => receive(at.stage.path('no-store')),
    code: 'STORE_MISSING',
    says: /there is no such folder/,
    cure: /Make the folder, or mount its disk/,
  },
  {
    name: 'a store that is a file',
    given: () => receive(at.stage.write('store', '')),
    code: 'STORE_MISSING',
    says: /this is not a folder/,
    cure: /Make the folder, or mount its disk/,
  },
  {
    name: 'a store that may not be written to',
    given: () => ({ ...receive(at.stage.make('store')), uid: NOBODY }),
    code: 'STORE_FAILED',
    says: /not permitted to write the store/,
    cure: /must be allowed to write everywhere below the store/,
  },
  {
    name: 'a store that root has begun',
    given: () => {
      const store = at.stage.make('store', NOBODY);
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
    given: () => receive(at.stage.make('store'), '--tokens', at.stage.path('no-tokens')),
    code: 'CONFIG_INVALID',
    says: /the token file .* can't be used/,
    cure: /isync token add DEVICE --tokens FILE/,
  },
  {
    name: 'a token file that is none',
    given: () =>
      receive(at.stage.make('store'), '--tokens', at.stage.write('tokens', 'isync_plain\n', 0o600)),
    code: 'CONFIG_INVALID',
    says: /it is not JSON/,
    cure: /isync token add DEVICE --tokens FILE/,
  },
  {
    name: 'a network without tokens',
    given: () => ({ command: 'receive', args: [at.stage.make('store'), '--listen', '0.0.0.0:0'] }),
    code: 'CONFIG_INVALID',
    says: /without tokens a receiver listens on loopback only/,
    cure: /Give it tokens \(--tokens\)/,
  },
  {
    name: 'a key of another certificate',
    given: () => {
      const { key } = at.stage.certificate('another', 'DNS:localhost');
      return receive(at.stage.make('store'), '--tls-cert', at.good.cert, '--tls-key', key);
    },
    code: 'CONFIG_INVALID',
    says: /the TLS certificate or key can't be used/,
    cure: /belong together/,
  },
  {
    name: 'a key that is not there',
    given: () =>
      receive(at.stage.make('store'), '--tls-cert', at.good.cert, '--tls-key', at.stage.path('no-key')),
    code: 'CONFIG_INVALID',
    says: /the file of --tls-key is not there/,
    cure: /Check its path/,
  },
  {
    name: 'a certificate of its own that has expired',
    given: () => {
      const { cert, key } = at.stage.certificate('old', 'DNS:localhost', { days: 10, clock: '-40d' });
      return receive(at.stage.make('store'), '--tls-cert', cert, '--tls-key', key);
    },
    code: 'TLS_FAILED',
    says: /the certificate has expired on/,
    cure: /Renew the certificate of the receiver/,
    itself: 'logs',
  },
  {
    name: 'a certificate of its own that soon expires',
    given: () => {
      const { cert, key } = at.stage.certificate('soon', 'DNS:localhost', { days: 3 });
      return receive(at.stage.make('store'), '--tls-cert', cert, '--tls-key', key);
    },
    says: /the certificate expires on/,
    cure: /see why it was not renewed/,
    level: 'warn',
    itself: 'logs',
  },
  {
    name: 'a certificate without a name',
    given: () => {
      const { cert, key } = at.stage.certificate('nameless', '');
      return receive(at.stage.make('store'), '--tls-cert', cert, '--tls-key', key);
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
      args: [at.stage.make('store'), '--listen', `127.0.0.1:${await at.stage.http(404, '')}`],
    }),
    code: 'CONFIG_INVALID',
    says: /the port is taken/,
    cure: /Stop what uses it/,
  },
  {
    name: 'an address of another machine',
    given: () => ({
      command: 'receive',
      args: [at.stage.make('store'), '--listen', '203.0.113.7:0', '--insecure'],
    }),
    code: 'CONFIG_INVALID',
    says: /this machine has no such address/,
    cure: /Listen on 0\.0\.0\.0/,
  },
];

tryEach('isync receive', RECEIVE, left);
