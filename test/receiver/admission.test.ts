import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { UNADMITTED_LIMITS } from '../../src/receiver/receiver-limits.ts';
import { startReceiver } from '../../src/receiver/receiver.ts';
import { openTokenFile, type TokenFile } from '../../src/access/token-file.ts';
import { addToken, listTokens, revokeToken } from '../../src/access/tokens.ts';
import { gatedStore, receiverFor, temporaryFolder } from './fixtures.ts';
import { RecordingLog } from '../recording-log.ts';
import { connect, greet, inlineFile, UpgradeRefused } from './wire-client.ts';

async function refusalOf(attempt: Promise<unknown>): Promise<{ status: number; code: unknown }> {
  const error: unknown = await attempt.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof UpgradeRefused)) throw new Error('not refused by an answer', { cause: error });
  expect(error.body).toEqual({ code: expect.any(String), message: expect.any(String) });
  return { status: error.status, code: (error.body as { code: unknown }).code };
}

function openTokens(path: string): TokenFile {
  const tokens = openTokenFile(path, new RecordingLog());
  onTestFinished(() => tokens[Symbol.dispose]());
  return tokens;
}

async function socketTo(port: number): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function get(url: string): Promise<{ status: number; body: string }> {
  const response = await fetch(url);
  return { status: response.status, body: await response.text() };
}

describe('an upgrade', () => {
  it('without the subprotocol is refused with 426', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const refused = { status: 426, code: 'VERSION_UNSUPPORTED' };
    expect(await refusalOf(connect(url, { protocols: [] }))).toEqual(refused);
    expect(await refusalOf(connect(url, { protocols: ['isync.v2'] }))).toEqual(refused);
  });

  it('may offer other subprotocols beside ours', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const client = await connect(url, { protocols: ['isync.v2', 'isync.v1'] });
    expect(client.ws.protocol).toBe('isync.v1');
  });

  it('that a web page asks for is refused with 401 where no token is needed: any page could, on this machine', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const refused = { status: 401, code: 'AUTH_REFUSED' };
    expect(await refusalOf(connect(url, { origin: 'http://example.com' }))).toEqual(refused);
    expect(await refusalOf(connect(url, { origin: 'null' }))).toEqual(refused);
  });

  it('elsewhere is refused with 404', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const refused = { status: 404, code: 'UNREACHABLE' };
    expect(await refusalOf(connect(url, { path: '/' }))).toEqual(refused);
    expect(await refusalOf(connect(url, { path: '/v1/replicate/' }))).toEqual(refused);
  });

  it('gets no compression', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const client = await connect(url, { perMessageDeflate: true });
    expect(client.ws.extensions).toBe('');
  });

  it('beyond the sessions there may be is refused with 503, until one has ended', async () => {
    const { url, log } = await receiverFor(gatedStore().store, { maxConnections: 1 });
    const client = await greet(url, 'edge1');
    const busy = { status: 503, code: 'BUSY' };
    for (let time = 0; time < 5; time++) expect(await refusalOf(connect(url))).toEqual(busy);
    expect(log.at('warn')).toHaveLength(1);
    await client.close();
    await vi.waitFor(() => greet(url, 'edge1'), 60_000);
  });
});

describe('tokens', () => {
  it('let their own device in, and nobody else', async () => {
    const path = `${await temporaryFolder()}/tokens.json`;
    const token = await addToken(path, 'edge1');
    const { url } = await receiverFor(gatedStore().store, { tokens: openTokens(path) });
    const refused = { status: 401, code: 'AUTH_REFUSED' };
    expect(await refusalOf(connect(url))).toEqual(refused);
    expect(await refusalOf(connect(url, { token: `${token}x` }))).toEqual(refused);
    expect(await refusalOf(connect(url, { headers: { Authorization: `Basic ${token}` } }))).toEqual(refused);

    await greet(url, 'edge1', { token });
    await greet(url, 'edge1', { headers: { Authorization: `bearer ${token}` } });
    const client = await connect(url, { token });
    client.hello('edge2');
    expect((await client.closed).code).toBe(4403);
  });

  it('that are revoked end their sessions with 4401, and no others', async () => {
    const path = `${await temporaryFolder()}/tokens.json`;
    const revoked = await addToken(path, 'edge1');
    const kept = await addToken(path, 'edge1');
    const { url } = await receiverFor(gatedStore().store, { tokens: openTokens(path) });
    const reader = await greet(url, 'edge1', { token: kept, hello: { mode: 'read' } });
    const writer = await greet(url, 'edge1', { token: revoked });
    await revokeToken(path, (await listTokens(path))[0]!.id);
    expect((await writer.closed).code).toBe(4401);
    reader.say({ type: 'look', request: 1, digest: false, paths: [parseRelPath('DC1/a')] });
    await reader.next('looked');
    expect(await refusalOf(connect(url, { token: revoked }))).toMatchObject({ status: 401 });
    await greet(url, 'edge1', { token: kept });
  });
});

describe('plain HTTP', () => {
  it('is answered at /healthz, and with 404 elsewhere', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const http = url.replace('ws:', 'http:');
    expect(await get(`${http}/healthz`)).toEqual({ status: 200, body: 'ok\n' });
    expect((await get(`${http}/`)).status).toBe(404);
    expect((await get(`${http}/v1/replicate`)).status).toBe(404);
  });

  it('that never ends its request head is cut', async () => {
    const { receiver } = await receiverFor(gatedStore().store, { limits: { requestMs: 50 } });
    const [silent, slow] = [await socketTo(receiver.port), await socketTo(receiver.port)];
    slow.write('GET /v1/replicate HTTP/1.1\r\nHost: x\r\n');
    await Promise.all([once(silent.resume(), 'close'), once(slow.resume(), 'close')]);
    expect([silent.destroyed, slow.destroyed]).toEqual([true, true]);
  });

  it('that is none is cut', async () => {
    const { receiver, log } = await receiverFor(gatedStore().store);
    const socket = await socketTo(receiver.port);
    socket.on('error', () => undefined);
    socket.write('\x16\x03\x01 no HTTP\r\n\r\n');
    await once(socket.resume(), 'close');
    await vi.waitFor(
      () => expect(log.at('warn')).toMatchObject([{ message: 'not an HTTP request' }]),
      60_000,
    );
  });

  it('with a head that is too long is cut', async () => {
    const { receiver } = await receiverFor(gatedStore().store);
    const socket = await socketTo(receiver.port);
    socket.on('error', () => undefined);
    socket.write(`GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}`);
    await once(socket.resume(), 'close');
    expect(socket.destroyed).toBe(true);
  });

  it('gets through where strangers hold as many sockets as they may: their oldest go', async () => {
    const { receiver, url } = await receiverFor(gatedStore().store, { maxConnections: 1 });
    const sockets: Socket[] = [];
    for (let n = 0; n < 2 * UNADMITTED_LIMITS.perAddress; n++) sockets.push(await socketTo(receiver.port));
    await greet(url, 'edge1');
    await vi.waitFor(
      () => expect(sockets.filter((socket) => socket.closed)).toHaveLength(UNADMITTED_LIMITS.perAddress + 1),
      60_000,
    );
    expect(sockets.at(0)?.closed).toBe(true);
    expect(sockets.at(-1)?.closed).toBe(false);
  });
});

describe('listening', () => {
  const store = gatedStore().store;
  const log = new RecordingLog();

  it.each(['0.0.0.0', '::', '192.0.2.1', 'example.org', '', '::ffff:0.0.0.0', '127.0.0.1.example.org'])(
    'on %s needs tokens',
    async (host) => {
      const started = startReceiver({ store, listen: { host, port: 0 }, log });
      await expect(started).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        hint: expect.stringContaining('--insecure'),
      });
    },
  );

  it.each(['127.0.0.1', '127.9.9.9', 'localhost', '::ffff:127.0.0.1'])('on %s needs none', async (host) => {
    const { receiver } = await receiverFor(store, { listen: { host, port: 0 } });
    expect(receiver.url).toBe(`ws://${host.includes(':') ? `[${host}]` : host}:${receiver.port}`);
    await greet(receiver.url, 'edge1');
  });

  it('everywhere is possible with --insecure, or with tokens', async () => {
    const path = `${await temporaryFolder()}/tokens.json`;
    await addToken(path, 'edge1');
    const listen = { host: '0.0.0.0', port: 0 };
    await receiverFor(store, { listen, insecure: true });
    const { log } = await receiverFor(store, { listen, tokens: openTokens(path) });
    expect(log.at('warn')).toMatchObject([{ message: expect.stringContaining('without TLS') }]);
  });

  it('on a port that is taken says so', async () => {
    const { receiver } = await receiverFor(store);
    const again = startReceiver({ store, listen: { host: '127.0.0.1', port: receiver.port }, log });
    await expect(again).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `can't listen on 127.0.0.1:${receiver.port}: the port is taken`,
    });
  });

  it('on an address of another machine says so', async () => {
    const started = startReceiver({ store, listen: { host: '192.0.2.1', port: 0 }, insecure: true, log });
    await expect(started).rejects.toMatchObject({ code: 'CONFIG_INVALID', hint: expect.any(String) });
  });
});

describe('a device', () => {
  it('reaches nothing but its own folder', async () => {
    const kept = gatedStore();
    const { url } = await receiverFor(kept.store);
    const one = await greet(url, 'edge1');
    const two = await greet(url, 'edge2');
    one.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'of edge1')] });
    await one.acknowledged(1);
    two.say({ type: 'files', firstId: 1, files: [inlineFile('edge1/DC1/a', 'of edge2')] });
    await two.acknowledged(1);
    expect(kept.paths()).toEqual(['edge1/DC1/a', 'edge2/edge1/DC1/a']);
    const paths = [parseRelPath('DC1/a'), parseRelPath('edge1/DC1/a')];
    two.say({ type: 'look', request: 1, digest: true, paths });
    expect((await two.next('looked')).files).toMatchObject([undefined, { size: 8 }]);
    two.say({ type: 'list', request: 1, prefix: '' });
    expect((await two.next('listed')).files.map(({ path }) => path)).toEqual(['edge1/DC1/a']);
  });
});
