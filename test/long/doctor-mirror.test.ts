import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { freePort } from '../../harness/free-port.ts';
import { keysBelow } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { start } from './doctor-stage.ts';
import { at, type Case, type SetUp, tryEach, withDoctorStage } from './doctor-trial.ts';

const left = withDoctorStage();

await withS3Server((server) => {
  const { endpoint, env } = server;

  /** A mirror of an origin on this machine, whose bucket is there unless `settings` names another. */
  async function mirror(
    origin: string,
    settings: Readonly<Record<string, unknown>> = {},
    rule: Readonly<Record<string, unknown>> = { allowPrivate: true },
  ): Promise<SetUp> {
    const own = {
      bucket: `s3://${await server.makeBucket()}`,
      s3Endpoint: endpoint,
      listen: '127.0.0.1:0',
      spool: at.stage.make('spool'),
      spoolSize: '1MB',
      rules: [{ origins: [origin], ...rule }],
      ...settings,
    };
    const config = at.stage.write('mirror.yaml', JSON.stringify(own));
    return { command: 'mirror', args: ['--config', config], env };
  }

  const cases: readonly Case[] = [
    {
      name: 'an origin where nobody answers',
      given: async () => await mirror(`http://127.0.0.1:${await freePort()}`),
      says: /gives no answer/,
      cure: /Check its URL, the network and the firewall/,
      itself: 'logs',
      ask: '/a',
    },
    {
      name: 'an origin of a private network',
      given: async () => await mirror(`http://127.0.0.1:${await at.stage.http(404, '')}`, {}, {}),
      says: /is not asked/,
      cure: /allowPrivate: true/,
      itself: 'logs',
      ask: '/a',
    },
    {
      name: 'an origin that refuses us',
      given: async () => await mirror(`http://127.0.0.1:${await at.stage.http(403, '')}`),
      says: /403/,
      cure: /"send"/,
      level: 'warn',
      itself: { unnoticed: 'other keys may be there, and each refusal is in the access log' },
    },
    {
      name: 'an origin that has everything',
      given: async () => await mirror(`http://127.0.0.1:${await at.stage.http(200, 'home')}`),
      says: /has something for a key that can not be there/,
      cure: /answer 404/,
      level: 'warn',
      itself: { unnoticed: 'it can not know which keys can not be there' },
    },
    {
      name: 'no such bucket',
      given: async () => await mirror('https://old.example', { bucket: 's3://no-such-bucket' }),
      code: 'STORE_MISSING',
      says: /no-such-bucket/,
      cure: /./,
    },
    {
      name: 'a spool that can not be made',
      given: async () => await mirror('https://old.example', { spool: '/dev/null/spool' }),
      code: 'STORE_FAILED',
      says: /the spool can not be used/,
      cure: /isync may write to/,
    },
    {
      name: 'a network, and anybody may read',
      given: async () => await mirror('https://old.example', { listen: '0.0.0.0:0' }),
      code: 'CONFIG_INVALID',
      says: /listens on loopback only/,
      cure: /--public/,
    },
  ];
  tryEach('a mirror', cases, left);

  it.skipIf(left)(
    'isync doctor finds a mirror well, and leaves neither object nor upload behind',
    async () => {
      const bucket = await server.makeBucket();
      const origin = `http://127.0.0.1:${await at.stage.http(404, '')}`;
      // The mirror makes it, as its own user.
      const cache = at.stage.path('cache');
      const { args } = await mirror(origin, { bucket: `s3://${bucket}/below`, spool: `${cache}/spool` });
      await using doctor = start(['doctor', 'mirror', ...args], { env });
      const { exitCode, stdout } = await doctor.ended;
      expect(stdout).toContain('says of a key that is missing that it is');
      expect(stdout).toContain('objects may be put');
      expect(stdout).toContain('spool can be made, with');
      expect(exitCode).toBe(0);
      expect(existsSync(cache)).toBe(false);
      expect(await keysBelow(server, bucket, '')).toEqual([]);
    },
  );

  it.skipIf(left)('isync doctor tries the bucket that a webhook copies to', async () => {
    const bucket = await server.makeBucket();
    const tried = async (name: string) => {
      const state = at.stage.make('hook');
      const to = ['--to', `s3://${name}/copies`, '--target-endpoint', endpoint, '--buckets', bucket];
      const own = ['--port', '0', '--min-free', '0', '--state', state, '--source-endpoint', endpoint];
      await using doctor = start(['doctor', 'webhook', ...own, ...to], { env });
      return await doctor.ended;
    };
    const well = await tried(await server.makeBucket());
    expect(well.stdout).toContain(`ok    bucket ${bucket}: can be listed`);
    expect(well).toMatchObject({ exitCode: 0 });
    expect(await tried('no-such-bucket')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/fail {2}target: .*no-such-bucket/) as string,
    });
  });
});
