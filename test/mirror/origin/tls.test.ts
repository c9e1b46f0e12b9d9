import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { HttpOrigin } from '../../../src/mirror/origin/http/http-origin.ts';
import {
  cutAfter,
  type HostileOrigin,
  longer,
  startHostileOrigin,
  whole,
} from '../../../harness/hostile-origin.ts';
import { lacks } from '../../../harness/tools.ts';
import { ask, found, originAt, textOf } from './origins.ts';

const noOpenssl = lacks('openssl');
const trusted = getCACertificates('default');
let folder: string;

beforeAll(() => {
  if (noOpenssl) return;
  folder = mkdtempSync(join(tmpdir(), 'isync-origin-tls-'));
  const args =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem -out cert.pem ' +
    '-subj /CN=old -addext subjectAltName=DNS:localhost';
  execFileSync('openssl', args.split(' '), { cwd: folder, stdio: 'ignore' });
  setDefaultCACertificates([...trusted, pem('cert')]);
});

afterAll(() => {
  if (noOpenssl) return;
  setDefaultCACertificates(trusted);
  rmSync(folder, { recursive: true, force: true });
});

function pem(name: string): string {
  return readFileSync(join(folder, `${name}.pem`), 'utf8');
}

async function secure(): Promise<{ readonly server: HostileOrigin; readonly origin: HttpOrigin }> {
  const tls = { cert: pem('cert'), key: pem('key') };
  const server = await startHostileOrigin(whole('content'), '127.0.0.1', tls);
  onTestFinished(async () => await server[Symbol.asyncDispose]());
  return { server, origin: originAt(`https://localhost:${server.port}/`) };
}

describe.skipIf(noOpenssl)('an origin with TLS', () => {
  it('is asked on connections that are used again', async () => {
    const { server, origin } = await secure();
    for (let count = 0; count < 3; count++) expect(await textOf(await found(origin))).toBe('content');
    expect(server.connections).toBe(1);
  });

  it('is measured like one without', async () => {
    const { server, origin } = await secure();
    server.reply = longer('content', 'more');
    await expect(found(origin).then(textOf)).rejects.toMatchObject({ status: 502, isAway: false });
    server.reply = cutAfter(50, 'content'.repeat(100), { Connection: 'close' });
    await expect(found(origin).then(textOf)).rejects.toMatchObject({ status: 502 });
  });

  it('is not asked where its certificate is for another name', async () => {
    const { server } = await secure();
    const origin = originAt(`https://127.0.0.1:${server.port}/`, { send: { authorization: 's' } });
    await expect(ask(origin)).rejects.toMatchObject({ status: 502 });
    expect(server.asked).toEqual([]);
  });
});
