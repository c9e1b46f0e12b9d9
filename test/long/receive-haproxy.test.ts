import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort } from '../../harness/free-port.ts';
import { startHaproxy } from '../../harness/haproxy.ts';
import { startStage, untilSealed } from '../../harness/stage.ts';
import { lacks } from '../../harness/tools.ts';

const DOCS = readFileSync(new URL('../../docs/scaling.md', import.meta.url), 'utf8');
/** What docs/scaling.md shows. */
const CONFIG = /```haproxy\n(.*?)```/s.exec(DOCS)?.[1] ?? '';

test.skipIf([lacks('haproxy'), lacks('openssl')].includes(true))(
  'receivers behind HAProxy, with the settings of the documentation: TLS ends there, and one that is away gets no session',
  async () => {
    await using stage = await startStage();
    const edge = await stage.edge('edge1');
    const [port, away] = [await freePort(), await freePort()];
    const cert = makeCertificate(stage.folder);
    const config = CONFIG.replace('bind :7400', `bind 127.0.0.1:${port}`)
      .replace('/etc/haproxy/isync.pem', cert.both)
      .replace('10.0.0.11:7400', `127.0.0.1:${away}`)
      .replace('10.0.0.12:7400', `127.0.0.1:${stage.receiver.port}`);
    expect(config).not.toContain('7400 ');
    await using haproxy = await startHaproxy(config, port);
    await haproxy.until('the health check', () => haproxy.stderr.includes('Server receivers/a is DOWN'));
    await edge.write({ 'DC1/a': 10, 'DC1/large': 20_000_000 });
    await using daemon = edge.daemon(['--tls-ca', cert.authority], { to: `wss://127.0.0.1:${port}` });
    await daemon.until('the first file', () => edge.has('DC1/a'));
    await edge.write({ 'DC1/b': 10, 'DC1/finished.parse': '' });
    await untilSealed(edge, ['DC1'], daemon);
    expect(await edge.differences()).toEqual([]);
    expect(daemon.stderr).not.toContain('link lost');
  },
);

/** One that signs itself, for the loopback; `both` has its key as well, as HAProxy wants it. */
function makeCertificate(folder: string): { readonly both: string; readonly authority: string } {
  const [key, authority, both] = ['key.pem', 'cert.pem', 'both.pem'].map((name) => join(folder, name));
  if (key === undefined || authority === undefined || both === undefined) throw new Error('three names');
  const make = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=isync';
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...make.split(' '), ...names, '-keyout', key, '-out', authority], {
    stdio: 'pipe',
  });
  writeFileSync(both, readFileSync(authority, 'utf8') + readFileSync(key, 'utf8'), { mode: 0o600 });
  return { both, authority };
}
