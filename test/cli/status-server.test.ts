import { readdirSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Counter, Registry } from 'prom-client';
import { describe, expect, it, vi } from 'vitest';
import { startStatus, type StatusOptions, type StatusServer } from '../../src/cli/status-server.ts';
import { StatusBoard } from '../../src/observe/status/status-board.ts';
import { RecordingLog } from '../recording-log.ts';

const PAGE = join(import.meta.dirname, '../../src/cli/status/page');
/** All that a token keeps from others. */
const GUARDED = ['/metrics', '/readyz', '/status.json', '/events'];

describe('a status server', () => {
  it('serves health, readiness and metrics', async () => {
    const metrics = new Registry();
    new Counter({ name: 'isync_test_total', help: 'x', registers: [metrics] }).inc(3);
    let reason: string | undefined = 'the queue can not be reached';
    await using server = await start({ metrics, notReady: () => reason });
    const get = async (path: string, init?: RequestInit) => await fetch(`${server.url}${path}`, init);
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
      const answer = await fetch(`${server.url}/readyz`);
      return [answer.status, await answer.text()];
    };
    expect(await ready()).toEqual([200, 'ok, but the target is away\n']);
    remark = undefined;
    expect(await ready()).toEqual([200, 'ok\n']);
  });

  it('serves the report, whole and live', async () => {
    const board = makeBoard();
    board.alarms.raise({ code: 'STORE_FULL', severity: 'critical', text: 'full', cure: 'make room' });
    await using server = await start({ board });
    const report: unknown = await (await fetch(`${server.url}/status.json`)).json();
    expect(report).toMatchObject({ command: 'test', subject: 'x', alarms: [{ code: 'STORE_FULL' }] });
    const events = await fetch(`${server.url}/events`);
    expect(events.headers.get('content-type')).toBe('text/event-stream');
    const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader();
    let told = '';
    await vi.waitFor(async () => {
      told += (await reader?.read())?.value ?? '';
      expect(told).toMatch(/^event: report\ndata: \{"command":"test".*\n\nevent: change\ndata: \{.*\n\n/);
    });
    await reader?.cancel();
  });

  it('ends at once, however many listen', async () => {
    const server = await start();
    const listening = await Promise.all([1, 2, 3].map(() => fetch(`${server.url}/events`)));
    const began = performance.now();
    await server[Symbol.asyncDispose]();
    // Else it waits a second for answers under way.
    expect(performance.now() - began).toBeLessThan(900);
    for (const answer of listening) expect(await answer.text()).toContain('event: report');
  });
});

describe('the page of a status server', () => {
  it('comes whole from the server, in less than 100 KB', async () => {
    await using server = await start();
    const page = await (await fetch(`${server.url}/`)).text();
    const names = readdirSync(PAGE);
    for (const name of names.filter((one) => one !== 'page.html')) {
      const answer = await fetch(`${server.url}/${name}`);
      expect([name, answer.status, (await answer.text()).length > 0]).toEqual([name, 200, true]);
    }
    expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(page).not.toMatch(/<script(?![^>]*src=)|<style| style=| on[a-z]+=/);
    const bytes = names.map((name) => statSync(join(PAGE, name)).size).reduce((sum, size) => sum + size);
    expect(bytes).toBeLessThan(100_000);
  });

  it('may do nothing but what it is for', async () => {
    await using server = await start();
    for (const path of ['/', '/page.js', '/status.json', '/metrics', '/healthz', '/else']) {
      const { headers } = await fetch(`${server.url}${path}`);
      expect(headers.get('content-security-policy')).toMatch(
        /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'; base-uri 'none'/,
      );
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('access-control-allow-origin')).toBeNull();
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
    }
  });
});

describe('who may ask a status server', () => {
  it('is told only its health, and the empty page, without its token', async () => {
    const board = makeBoard();
    await using server = await start({ token: 'secret', board });
    const ask = async (path: string, token?: string) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const answer = await fetch(`${server.url}${path}`, { headers });
      await answer.body?.cancel();
      return answer.status;
    };
    expect(await ask('/healthz')).toBe(200);
    expect(await ask('/')).toBe(200);
    for (const path of GUARDED) {
      expect(await ask(path)).toBe(401);
      expect(await ask(path, 'wrong')).toBe(401);
      expect(await ask(path, 'secret')).toBe(200);
    }
    expect(await ask('/status.json?token=secret')).toBe(401);
  });

  it('is anybody only on loopback, else who has a token', async () => {
    await expect(start({ listen: { host: '0.0.0.0', port: 0 } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await using server = await start({ listen: { host: '0.0.0.0', port: 0 }, token: 'secret' });
    // No page can know the token, so any name will do.
    expect(await ask(server, '/healthz', { host: 'status.example' })).toBe(200);
    expect(await ask(server, '/status.json', { host: 'status.example' })).toBe(401);
    expect(await ask(server, '/status.json', { authorization: 'Bearer secret' })).toBe(200);
  });

  it('is nobody who calls this machine by a name of their own', async () => {
    await using server = await start();
    const { port } = new URL(server.url);
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.evil.example',
      '10.0.0.1',
      'localhost.evil.example:80',
      '[::2]:80',
    ])
      for (const path of ['/', '/healthz', ...GUARDED])
        expect([host, await ask(server, path, { host })]).toEqual([host, 421]);
    for (const host of ['localhost', 'LOCALHOST:80', `127.0.0.1:${port}`, '[::1]:9', '127.9.9.9'])
      expect([host, await ask(server, '/status.json', { host })]).toEqual([host, 200]);
  });

  it('is no page of another site', async () => {
    await using server = await start();
    const { host } = new URL(server.url);
    for (const path of ['/healthz', '/page.js', ...GUARDED]) {
      for (const site of ['cross-site', 'same-site', 'none, cross-site'])
        expect([path, site, await ask(server, path, { 'sec-fetch-site': site })]).toEqual([path, site, 403]);
      for (const origin of [
        'https://evil.example',
        'null',
        'http://localhost:1',
        `http://${host}.evil.example`,
      ])
        expect([path, origin, await ask(server, path, { origin })]).toEqual([path, origin, 403]);
      expect(await ask(server, path, { 'sec-fetch-site': 'same-origin', origin: server.url })).toBe(200);
      expect(await ask(server, path, { 'sec-fetch-site': 'none' })).toBe(200);
    }
    // A link may lead to the page, which tells nothing by itself; a frame, an image or a script may not be made of it.
    const link = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    expect(await ask(server, '/', link)).toBe(200);
    expect(await ask(server, '/?from=chat', link)).toBe(200);
    expect(await ask(server, '/status.json', link)).toBe(403);
    expect(await ask(server, '/', { ...link, 'sec-fetch-dest': 'iframe' })).toBe(403);
    expect(await ask(server, '/', { ...link, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' })).toBe(
      403,
    );
  });

  it('is a health check that names no host', async () => {
    await using server = await start();
    const { port } = new URL(server.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('GET /readyz HTTP/1.0\r\n\r\n');
    expect(await text(socket)).toContain('200 OK');
  });
});

/** The status of an answer, whatever its request claims: fetch would not send some headers. */
async function ask(
  server: StatusServer,
  path: string,
  headers: Record<string, string>,
): Promise<number | undefined> {
  const { port } = new URL(server.url);
  return await new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers }, (answer) => {
      resolve(answer.statusCode);
      answer.destroy();
    });
    asked.on('error', reject).end();
  });
}

function makeBoard(): StatusBoard {
  return new StatusBoard({ command: 'test', subject: 'x', version: '1' });
}

async function start(options: Partial<StatusOptions> = {}) {
  return await startStatus({
    listen: { host: '127.0.0.1', port: 0 },
    token: undefined,
    board: makeBoard(),
    metrics: new Registry(),
    notReady: () => undefined,
    log: new RecordingLog(),
    ...options,
  });
}
