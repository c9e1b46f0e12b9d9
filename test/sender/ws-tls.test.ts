import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Receiver } from '../../src/receiver/receiver.ts';
import type { Target } from '../../src/sender/target.ts';
import type { TlsOptions } from '../../src/sender/ws/connect.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { lacks } from '../../harness/tools.ts';
import { MemorySource } from './memory-source.ts';
import { PATIENT, QUICK, receive, send, usingForTest } from './receiver-fixture.ts';
import { noise } from './source-folder.ts';

let folder: string;

const noOpenssl = lacks('openssl');

beforeAll(() => {
  if (noOpenssl) return;
  folder = mkdtempSync(join(tmpdir(), 'isync-sender-tls-'));
  const key = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2';
  openssl(
    `${key} -keyout server-key.pem -out server.pem -subj /CN=receiver -addext subjectAltName=IP:127.0.0.1`,
  );
  openssl(`${key} -keyout client-key.pem -out client.pem -subj /CN=edge1`);
});

afterAll(() => {
  if (!noOpenssl) rmSync(folder, { recursive: true, force: true });
});

function openssl(command: string): void {
  execFileSync('openssl', command.split(' '), { cwd: folder, stdio: 'ignore' });
}

function over(url: string, tls?: TlsOptions): Target {
  return usingForTest(send(url, PATIENT, { tls: tls && (() => tls) }));
}

const pem = (name: string): string => readFileSync(join(folder, `${name}.pem`), 'utf8');
const file = new MemorySource('DC1/a', noise(1_000_000));

describe.skipIf(noOpenssl)('ws target with TLS', () => {
  let receiver: Receiver;

  beforeEach(async () => {
    const store = usingForTest(createMemoryStore());
    const tls = { cert: Buffer.from(pem('server')), key: Buffer.from(pem('server-key')) };
    receiver = usingForTest(await receive(store, { tls }));
  });

  it('sends to a receiver whose CA it knows, and sees that it is alive', async () => {
    const lost: unknown[] = [];
    const target = usingForTest(
      send(receiver.url, QUICK, {
        tls: () => ({ ca: pem('server') }),
        deadlines: { keepaliveMs: 20, silenceMs: 400 },
        onLink: (state, error) => state === 'lost' && lost.push(error),
      }),
    );
    const began = performance.now();
    while (performance.now() - began < 600) await target.put(file);
    expect(lost).toEqual([]);
  });

  it.each<[string, () => [string, TlsOptions?]]>([
    ['a certificate of a CA that it does not know', () => [receiver.url]],
    [
      'a certificate for another name',
      () => [receiver.url.replace('127.0.0.1', 'localhost'), { ca: pem('server') }],
    ],
    ['a CA that is none', () => [receiver.url, { ca: 'nonsense' }]],
    ['a certificate of ours that is none', () => [receiver.url, { cert: 'nonsense', key: 'nonsense' }]],
  ])('gives up on %s', async (_, where) => {
    const target = over(...where());
    await expect(target.put(file)).rejects.toMatchObject({ code: 'TLS_FAILED', retryable: false });
  });

  it('names our cure for a certificate that signed itself, and not that of Node', async () => {
    const refused = {
      code: 'TLS_FAILED',
      message: expect.stringMatching(/self-signed certificate$/) as string,
      hint: expect.stringContaining('--tls-ca') as string,
    };
    await expect(over(receiver.url).put(file)).rejects.toMatchObject(refused);
  });

  it('gives up on a server that answers TLS with HTTP', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const target = over(`wss://127.0.0.1:${port}`);
    await expect(target.put(file)).rejects.toMatchObject({ code: 'TLS_FAILED' });
  });

  it('tells what may be wrong when one side speaks TLS and the other does not', async () => {
    const plain = usingForTest(await receive(usingForTest(createMemoryStore())));
    const once = { ...QUICK, giveUpAfterMs: 1 };
    for (const url of [plain.url.replace('ws:', 'wss:'), receiver.url.replace('wss:', 'ws:')]) {
      const target = usingForTest(send(url, once));
      const refused = { code: 'UNREACHABLE', hint: expect.stringMatching(/wss/) as string };
      await expect(target.put(file)).rejects.toMatchObject(refused);
    }
  });

  it('shows its own certificate where one is asked for', async () => {
    const tls = {
      cert: Buffer.from(pem('server')),
      key: Buffer.from(pem('server-key')),
      ca: Buffer.from(pem('client')),
    };
    const mutual = usingForTest(await receive(usingForTest(createMemoryStore()), { tls }));
    const target = over(mutual.url, { ca: pem('server'), cert: pem('client'), key: pem('client-key') });
    await target.put(file);
    const stranger = over(mutual.url, { ca: pem('server') });
    await expect(stranger.put(file)).rejects.toMatchObject({ code: 'TLS_FAILED' });
  });
});
