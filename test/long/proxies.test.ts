import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { scanOnce, startReceiver } from '../../harness/cli.ts';
import { differences, temporaryFolder, writeTree } from '../../harness/data-tree.ts';
import { startForwardProxy } from '../../harness/forward-proxy.ts';
import { s3Differences } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { mkdirSync } from 'node:fs';

const TREE = { 'DC1/a': 10, 'DC1/b': 3_000_000, 'DC1/finished.parse': '' };

/** Names nobody but a proxy can resolve. */
const HOST = 'backup.example';

describe('through a proxy of the environment', () => {
  test('a scan reaches a receiver, unless NO_PROXY names it', async () => {
    await using folder = await temporaryFolder('proxies');
    await using proxy = await startForwardProxy();
    const [root, store, cert, key] = ['root', 'store', 'cert.pem', 'key.pem'].map((name) =>
      join(folder.path, name),
    ) as [string, string, string, string];
    mkdirSync(store);
    const make = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=${HOST}
      -addext subjectAltName=DNS:${HOST} -keyout ${key} -out ${cert}`;
    execFileSync('openssl', make.split(/\s+/), { stdio: 'ignore' });
    await using receiver = await startReceiver(store, { args: ['--tls-cert', cert, '--tls-key', key] });
    const to = `wss://${HOST}:${receiver.port}`;
    const scan = (env: Record<string, string>) =>
      scanOnce(root, { to, env, args: ['--tls-ca', cert, '--retry-for', '3s'] });
    await writeTree(root, TREE);
    const past = await scan({ HTTPS_PROXY: proxy.url, NO_PROXY: '.example' });
    expect(past).toMatchObject({ exitCode: 4 });
    expect(proxy.asked).toEqual([]);
    const { exitCode, stderr } = await scan({ ALL_PROXY: proxy.url });
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(stderr).toContain('is reached through a proxy');
    expect(proxy.asked).toEqual([`CONNECT ${HOST}:${receiver.port}`]);
    expect(await differences(root, join(store, 'edge1'))).toEqual([]);
  });

  test('a proxy that is away is named', async () => {
    await using folder = await temporaryFolder('proxies');
    await writeTree(folder.path, TREE);
    const env = { HTTPS_PROXY: 'http://user:hidden@127.0.0.1:1' };
    const ended = await scanOnce(folder.path, { to: `wss://${HOST}`, env, args: ['--retry-for', '2s'] });
    expect(ended).toMatchObject({ exitCode: 4 });
    expect(ended.stderr).toContain('127.0.0.1:1');
    expect(ended.stderr).not.toContain('hidden');
  });
});

await withS3Server((server) => {
  test('a bucket is reached through a proxy of the environment', async () => {
    const bucket = await server.makeBucket();
    await using folder = await temporaryFolder('proxies-s3');
    await using proxy = await startForwardProxy();
    await writeTree(folder.path, TREE);
    const endpoint = new URL(server.endpoint);
    endpoint.hostname = 's3.example';
    const ended = await scanOnce(folder.path, {
      to: `s3://${bucket}/x`,
      args: ['--s3-endpoint', endpoint.href],
      env: { ...server.env, HTTP_PROXY: proxy.url },
    });
    expect({ exitCode: ended.exitCode, stderr: ended.stderr }).toMatchObject({ exitCode: 0 });
    expect(proxy.asked.some((line) => line.includes('s3.example'))).toBe(true);
    expect(await s3Differences(server, bucket, 'x/edge1', folder.path)).toEqual([]);
  });
});
