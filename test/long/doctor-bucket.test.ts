import { expect, it } from 'vitest';
import { freePort } from '../../harness/free-port.ts';
import { keysBelow } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { atTime, start } from './doctor-stage.ts';
import { type Case, scanTo, type SetUp, tryEach, withDoctorStage } from './doctor-trial.ts';

const left = withDoctorStage();

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
      level: 'warn',
      itself: { unnoticed: 'it signs by the clock of the store, and works' },
    },
  ];
  tryEach('a bucket', cases, left);

  it.skipIf(left)('isync doctor finds a bucket well, and leaves no object behind', async () => {
    const bucket = await server.makeBucket();
    const { args } = to(bucket);
    await using doctor = start(['doctor', 'scan', ...args], { env });
    const { exitCode, stdout } = await doctor.ended;
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      'ok    permissions: list objects, list uploads under way, put an object in parts',
    );
    expect(await keysBelow(server, bucket, '')).toEqual([]);
  });
});
