import { Counter, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { startStatus, type StatusOptions } from '../../src/cli/status-server.ts';
import { StatusBoard } from '../../src/observe/status/status-board.ts';
import { RecordingLog } from '../recording-log.ts';

describe('a status server', () => {
  it('serves health, readiness and metrics', async () => {
    const metrics = new Registry();
    new Counter({ name: 'isync_test_total', help: 'x', registers: [metrics] }).inc(3);
    let reason: string | undefined = 'the queue can not be reached';
    await using server = await start({ metrics, notReady: () => reason });
    const get = async (path: string, init?: RequestInit) => await fetch(`${server.url('http')}${path}`, init);
    expect(await (await get('/healthz')).text()).toBe('ok\n');
    const notReady = await get('/readyz');
    expect([notReady.status, await notReady.text()]).toEqual([503, 'the queue can not be reached\n']);
    reason = undefined;
    expect((await get('/readyz')).status).toBe(200);
    const told = await get('/metrics');
    expect(told.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect(await told.text()).toContain('isync_test_total 3');
    expect((await get('/metrics', { method: 'POST' })).status).toBe(405);
    expect((await get('/else')).status).toBe(404);
  });

  it('tells what is wrong beside, where it is ready all the same', async () => {
    let remark: string | undefined = 'the target is away';
    await using server = await start({ remark: () => remark });
    const ready = async (): Promise<unknown> => {
      const answer = await fetch(`${server.url('http')}/readyz`);
      return [answer.status, await answer.text()];
    };
    expect(await ready()).toEqual([200, 'ok, but the target is away\n']);
    remark = undefined;
    expect(await ready()).toEqual([200, 'ok\n']);
  });

  it('tells only its health to who lacks its token', async () => {
    await using server = await start({ token: 'secret' });
    const status = async (path: string, token?: string) =>
      (
        await fetch(`${server.url('http')}${path}`, {
          headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        })
      ).status;
    expect(await status('/healthz')).toBe(200);
    expect(await status('/metrics')).toBe(401);
    expect(await status('/readyz', 'wrong')).toBe(401);
    expect(await status('/metrics', 'secret')).toBe(200);
  });

  it('listens beyond loopback only with a token', async () => {
    await expect(start({ listen: { host: '0.0.0.0', port: 0 } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});

async function start(options: Partial<StatusOptions>) {
  return await startStatus({
    listen: { host: '127.0.0.1', port: 0 },
    token: undefined,
    board: new StatusBoard({ command: 'test', subject: 'x', version: '1' }),
    metrics: new Registry(),
    notReady: () => undefined,
    log: new RecordingLog(),
    ...options,
  });
}
