import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Receiver } from '../../src/receiver/receiver.ts';
import type { TlsOptions } from '../../src/sender/ws/connect.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { MemorySource } from './memory-source.ts';
import { PATIENT, QUICK, receive, send, usingForTest } from './receiver-fixture.ts';
import { noise } from './source-folder.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'isync-sender-tls-'));
  const key = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2';
  openssl(
    `${key} -keyout server-key.pem -out server.pem -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1`,
  );
  openssl(`${key} -keyout client-key.pem -out client.pem -subj /CN=edge1`);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function openssl(command: string): void {
  execFileSync('openssl', command.split(' '), { cwd: folder, stdio: 'ignore' });
}

const pem = (name: string): string => readFileSync(join(folder, `${name}.pem`), 'utf8');
const file = new MemorySource('DC1/a', noise(1_000_000));

describe('ws target with TLS', () => {
  let receiver: Receiver;

  beforeEach(async () => {
    const store = usingForTest(createMemoryStore());
    const tls = { cert: Buffer.from(pem('server')), key: Buffer.from(pem('server-key')) };
    receiver = usingForTest(await receive(store, { tls }));
  });

  const over = (url: string, tls?: TlsOptions) => usingForTest(send(url, PATIENT, { tls }));

  it('sends to a receiver whose CA it knows, and sees that it is alive', async () => {
    const lost: unknown[] = [];
    const target = usingForTest(
      send(receiver.url, QUICK, {
        tls: { ca: pem('server') },
        deadlines: { keepaliveMs: 20 },
        onLink: (state, error) => state === 'lost' && lost.push(error),
      }),
    );
    await target.put(file);
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

  it('gives up on a receiver that speaks no TLS', async () => {
    const plain = usingForTest(await receive(usingForTest(createMemoryStore())));
    const target = over(plain.url.replace('ws:', 'wss:'));
    await expect(target.put(file)).rejects.toMatchObject({ code: 'TLS_FAILED' });
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
    const refused = vi.fn();
    await stranger.put(file).catch(refused);
    expect(refused).toHaveBeenCalledWith(expect.objectContaining({ code: 'TLS_FAILED' }));
  });
});
