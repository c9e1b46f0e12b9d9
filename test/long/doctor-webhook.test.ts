import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { freePort } from '../../harness/free-port.ts';
import { startNatsServer } from '../../harness/nats-server.ts';
import { lacks } from '../../harness/tools.ts';
import { NOBODY, start } from './doctor-stage.ts';
import { at, type Case, type SetUp, tryEach, withDoctorStage } from './doctor-trial.ts';

const left = withDoctorStage();

/** `isync webhook` with a script that can be run, on a free port, unless `more` says otherwise. */
function webhook(more: Readonly<Record<string, string | undefined>>): SetUp {
  const state = join(at.stage.make('hook'), 'state');
  const options = { port: '0', 'min-free': '0', state, script: '/bin/true', ...more };
  return {
    command: 'webhook',
    args: Object.entries(options).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, value],
    ),
  };
}

const CASES: readonly Case[] = [
  {
    name: 'no action',
    given: () => webhook({ script: undefined }),
    code: 'CONFIG_INVALID',
    says: /nothing says what to do about events/,
    cure: /Give --script FILE, --to s3:\/\/BUCKET/,
  },
  {
    name: 'a script that is not executable',
    given: () => webhook({ script: at.stage.write('script', '#!/bin/sh\n') }),
    code: 'CONFIG_INVALID',
    says: /the script can't be run: it is not executable/,
    cure: /chmod \+x/,
  },
  {
    name: 'a state whose folder is not there',
    given: () => webhook({ state: at.stage.path('no-folder/state') }),
    code: 'STORE_MISSING',
    says: /the folder above that of the state is not there/,
    cure: /mkdir -p/,
  },
  {
    name: 'a state that leads nowhere',
    given: () => {
      const state = join(at.stage.make('hook'), 'state');
      symlinkSync(at.stage.path('nowhere'), state);
      return webhook({ state });
    },
    code: 'STORE_MISSING',
    says: /leads to no folder/,
    cure: /Choose another folder with "state"/,
  },
  {
    name: 'a state of another user',
    given: () => ({ ...webhook({ state: at.stage.make('state') }), uid: NOBODY }),
    code: 'STORE_FAILED',
    says: /can't be (?:made|written to) \(EACCES\)/,
    cure: /Let the user isync runs as write there/,
  },
  {
    name: 'a port that is taken',
    given: async () => webhook({ port: String(await at.stage.silence()) }),
    code: 'CONFIG_INVALID',
    says: /the port is taken/,
    cure: /Stop what uses it/,
  },
  {
    name: 'a network without a rule who may post',
    given: () => webhook({ address: '0.0.0.0' }),
    code: 'CONFIG_INVALID',
    says: /without tokens a webhook listens on loopback only/,
    cure: /Say who may post/,
  },
  {
    name: 'a token file that is not there',
    given: () => webhook({ 'token-file': at.stage.path('no-token') }),
    code: 'CONFIG_INVALID',
    says: /no-token|token/,
    cure: /./,
  },
  {
    name: 'a key that is not there',
    given: () => webhook({ 'tls-cert': at.good.cert, 'tls-key': at.stage.path('no-key') }),
    code: 'CONFIG_INVALID',
    says: /no-key/,
    cure: /./,
  },
  {
    name: 'a broker that does not answer',
    given: async () => webhook({ queue: `nats://127.0.0.1:${await freePort()}` }),
    code: 'UNREACHABLE',
    says: /nats:\/\/127\.0\.0\.1/,
    cure: /./,
  },
];

tryEach('a webhook', CASES, left);

it.skipIf(left)('isync doctor finds a webhook well, also while it runs, and makes nothing', async () => {
  const state = join(at.stage.make('hook'), 'state');
  const { args } = webhook({ state, port: String(await freePort()) });
  await using before = start(['doctor', 'webhook', ...args, '--json']);
  expect(await before.ended).toMatchObject({ exitCode: 0 });
  expect(existsSync(state)).toBe(false);
  await using daemon = start(['webhook', ...args]);
  await daemon.until('the webhook to listen', () => daemon.stdout.includes('listening on'));
  await using beside = start(['doctor', 'webhook', ...args]);
  const { exitCode, stdout } = await beside.ended;
  expect(stdout).toContain('is taken by a server that says it is well: this webhook');
  expect(exitCode).toBe(0);
});

it.skipIf(left || lacks('nats-server'))(
  'isync doctor makes no consumer of a stream that it looks at',
  async () => {
    await using nats = await startNatsServer();
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    const doctor = async (stream: string) => {
      const { args } = webhook({ port: undefined, source: `${nats.url}/${stream}` });
      await using process = start(['doctor', 'webhook', ...args]);
      return await process.ended;
    };
    try {
      await manager.streams.add({ name: 'bucket', subjects: ['bucket.>'] });
      expect(await doctor('bucket')).toMatchObject({
        exitCode: 0,
        stdout: expect.stringContaining('the first start makes the consumer') as string,
      });
      expect((await manager.streams.info('bucket')).state.consumer_count).toBe(0);
      expect(await doctor('none')).toMatchObject({
        exitCode: 1,
        stdout: expect.stringContaining('NATS has no stream "none"') as string,
      });
    } finally {
      await connection.close();
    }
  },
);
