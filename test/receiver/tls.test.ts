import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startReceiver } from '../../src/receiver/receiver.ts';
import { openTokenFile } from '../../src/access/token-file.ts';
import { addToken } from '../../src/access/tokens.ts';
import { gatedStore, receiverFor, temporaryFolder } from './fixtures.ts';
import { RecordingLog } from '../recording-log.ts';
import { lacks } from '../../harness/tools.ts';
import { connect, greet, inlineFile } from './wire-client.ts';

let folder: string;

function openssl(command: string): void {
  execFileSync('openssl', command.split(' '), { cwd: folder, stdio: 'ignore' });
}

function pem(name: string): Buffer {
  return readFileSync(join(folder, `${name}.pem`));
}

/** A certificate of the CA in `folder`. */
function issue(name: string): void {
  openssl(
    `req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}-key.pem -out ${name}.csr -subj
    /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1`.replace(/\s+/g, ' '),
  );
  openssl(
    `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca-key.pem -copy_extensions copy -days 30 -out ${name}.pem`,
  );
}

function serialOf(name: string): string {
  return new X509Certificate(pem(name)).serialNumber;
}

async function serialAt(port: number): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', ca: pem('ca') });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

const noOpenssl = lacks('openssl');

beforeAll(() => {
  if (noOpenssl) return;
  folder = mkdtempSync(join(tmpdir(), 'isync-tls-'));
  openssl(
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca-key.pem -out ca.pem -subj /CN=CA -days 2',
  );
  issue('server');
  issue('client');
});

afterAll(() => {
  if (!noOpenssl) rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(noOpenssl)('a receiver with TLS', () => {
  it('serves a renewed certificate to newcomers, and keeps its sessions', async () => {
    const before = { cert: pem('server'), key: pem('server-key') };
    const { receiver } = await receiverFor(gatedStore().store, { tls: before });
    const standing = await greet(receiver.url, 'edge1', { ca: pem('ca') });
    issue('renewed');
    expect(() => receiver.useTls({ cert: pem('renewed'), key: pem('server-key') })).toThrow(/can't be used/);
    expect(await serialAt(receiver.port)).toBe(serialOf('server'));
    receiver.useTls({ cert: pem('renewed'), key: pem('renewed-key') });
    expect(await serialAt(receiver.port)).toBe(serialOf('renewed'));
    expect(standing.ws.readyState).toBe(WebSocket.OPEN);
  });

  it('takes files, and sees that the sender is alive', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store, {
      tls: { cert: pem('server'), key: pem('server-key') },
      limits: { silenceMs: 400, keepaliveMs: 20 },
    });
    expect(url).toMatch(/^wss:/);
    const client = await greet(url, 'edge1', { ca: pem('ca') });
    const start = performance.now();
    for (let id = 1; performance.now() - start < 800; id++) {
      const { keepalives } = client;
      await vi.waitFor(() => expect(client.keepalives).toBeGreaterThan(keepalives), {
        interval: 5,
        timeout: 60_000,
      });
      client.say({ type: 'files', firstId: id, files: [inlineFile('DC1/a', `version ${id}`)] });
      await client.acknowledged(1);
    }
    expect(store.text('edge1/DC1/a')).toMatch(/^version/);
  });

  it('refuses senders that speak plainly', async () => {
    const { url } = await receiverFor(gatedStore().store, {
      tls: { cert: pem('server'), key: pem('server-key') },
    });
    await expect(connect(url.replace('wss:', 'ws:'))).rejects.toThrow(/hang up|ECONNRESET/);
  });

  it('logs a handshake that fails once for an address, with it', async () => {
    const { url, log } = await receiverFor(gatedStore().store, {
      tls: { cert: pem('server'), key: pem('server-key') },
    });
    for (let time = 0; time < 3; time++) {
      await expect(connect(url.replace('wss:', 'ws:'))).rejects.toThrow(/hang up|ECONNRESET/);
      await expect(connect(url)).rejects.toThrow(/certificate/);
    }
    await vi.waitFor(() => expect(log.at('warn')).not.toEqual([]), 60_000);
    for (const { fields } of log.at('warn')) expect(fields?.['remote']).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(log.at('warn').map(({ message }) => message)).toEqual(['TLS handshake failed']);
  });

  it('with a CA lets in only who has a certificate of it, and a token besides', async () => {
    const path = `${await temporaryFolder()}/tokens.json`;
    const token = await addToken(path, 'edge1');
    const tokens = openTokenFile(path, new RecordingLog());
    onTestFinished(() => tokens[Symbol.dispose]());
    const { url } = await receiverFor(gatedStore().store, {
      tokens,
      tls: { cert: pem('server'), key: pem('server-key'), ca: pem('ca') },
    });
    const certificate = { ca: pem('ca'), cert: pem('client'), key: pem('client-key') };
    await greet(url, 'edge1', { token, ...certificate });
    await expect(connect(url, { token, ca: pem('ca') })).rejects.toThrow(
      /certificate required|ECONNRESET|hang up/,
    );
    await expect(connect(url, certificate)).rejects.toMatchObject({ status: 401 });
  });

  it.each([
    { name: 'a certificate that is none', cert: 'no PEM', key: undefined },
    { name: 'a key of another certificate', cert: undefined, key: 'client-key' },
  ])('does not start with $name', async ({ cert, key }) => {
    const tls = {
      cert: cert === undefined ? pem('server') : Buffer.from(cert),
      key: pem(key ?? 'server-key'),
    };
    const started = startReceiver({
      store: gatedStore().store,
      listen: { host: '127.0.0.1', port: 0 },
      tls,
      log: new RecordingLog(),
    });
    await expect(started).rejects.toMatchObject({ code: 'CONFIG_INVALID', hint: expect.any(String) });
  });
});
